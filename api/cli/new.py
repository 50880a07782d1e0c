"""The command new: a package of data files, for those who have none yet."""

from pathlib import Path

import click

from api.cli.options import FOLDER, tell

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=FILE)
@click.option("--into", "folder", type=FOLDER, help="The folder to make (default: named like the first file).")
@click.option("--encoding", default="", help="How text files are encoded (default: UTF-8).")
@click.option("--no-header", is_flag=True, help="The first row of each file is data.")
def new(files: tuple[Path, ...], folder: Path | None, encoding: str, no_header: bool) -> None:
    """Make a package of data files: CSV, TSV, JSON, JSON Lines, XLSX, ODS, Parquet, SQLite.

    Each sheet of a spreadsheet that has a value is a table, and so is each table of a database.

    Each table goes into data/ as plain CSV, whatever it was. datapackage.json gets guessed types, titles,
    keys and foreign keys where the data bear them; README.md the questions that only a person can answer. Correct them
    as you like: `lantern preview FOLDER` shows what you edit. Nothing that is there is overwritten.
    """
    from api.editing.creating import create, slug, stem_of

    target = folder or Path(slug(stem_of(files[0])) or "package")
    for line in create(files, target, encoding, not no_header):
        tell(line)
    click.echo(f"{target} is a package: answer the questions in {target / 'README.md'}, then see it")
    click.echo(f"  lantern preview {target}    while you edit")
    click.echo(f"  lantern serve {target}      as its first release")


COMMANDS = (new,)
