"""The command export: a store as a static site."""

import sys
from pathlib import Path
from typing import Any

import click


def add(main: click.Group) -> None:
    """Put the command into the group `lantern`."""
    main.add_command(export)


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--store", "root", type=click.Path(path_type=Path, file_okay=False), help="Default: LANTERN_STORE.")
@click.option("--base-url", help="What links in answers begin with (default: LANTERN_BASE_URL).")
@click.option("--no-rows", is_flag=True, help="No file for each single row: for tables with millions of them.")
@click.pass_obj
def export(config: dict[str, Any], folder: Path, root: Path | None, base_url: str | None, no_rows: bool) -> None:
    """Write the store as a static site, for any web server (docs/STATIC.md).

    Release files, signed metadata, pages, and every JSON address without parameters, with the bytes that the server
    gives. DIR is replaced at once when everything is there and verified; files that did not change stay as they are.
    `lantern verify DIR` checks it, `lantern mirror` copies from it.
    """
    from api import settings
    from api.export import ExportError
    from api.export.write import export as write

    try:
        named = {f"{settings.PREFIX}BASE_URL": base_url} if base_url is not None else {}
        base = settings.load(named)["BASE_URL"] if named else config["BASE_URL"]
    except settings.SettingError as error:
        raise click.BadParameter(str(error), param_hint="--base-url") from error
    try:
        done = write(root or config["STORE"], folder, base, lambda said: click.echo(said, err=True), not no_rows)
    except ExportError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    state = "" if done.changed else ", as before"
    click.echo(f"{folder}: {done.addresses} addresses, {done.bytes} bytes{state}")
