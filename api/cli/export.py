"""The command export: a store as a static site."""

from pathlib import Path

import click

from api import settings
from api.cli.options import FOLDER, STORE, Config, echo, tell


@click.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
@STORE
@click.option("--base-url", help="What links in responses begin with (default: LANTERN_BASE_URL).")
@click.option("--no-rows", is_flag=True, help="No file for each single row: for tables with millions of them.")
@click.pass_obj
def export(config: Config, folder: Path, base_url: str | None, no_rows: bool) -> None:
    """Write the store as a static site, for any web server (docs/STATIC.md).

    Release files, signed metadata, pages, and every JSON address without parameters, with the bytes that the server
    gives. DIR is replaced at once when everything is there and verified; files that did not change stay as they are.
    `lantern verify DIR` checks it, `lantern mirror` copies from it.
    """
    from api.export.write import export

    try:
        base = config["BASE_URL"] if base_url is None else settings.read("BASE_URL", base_url)
    except settings.SettingError as error:
        raise click.BadParameter(str(error), param_hint="--base-url") from error
    done = export(config["STORE"], folder, base, tell, not no_rows, config["INDEX"])
    state = "" if done.changed else ", as before"
    echo(f"{folder}: {done.addresses} addresses, {done.bytes} bytes{state}")


COMMANDS = (export,)
