"""Commands about the server: serve, openapi, settings."""

from pathlib import Path

import click

from api import settings
from api.cli.options import PACKAGE, Config
from api.cli.package import built
from api.model.errors import LanternError


@click.command()
@click.argument("source", metavar="[PACKAGE]", required=False, type=click.Path(path_type=Path))
@click.pass_obj
def serve(config: Config, source: Path | None) -> None:
    """Serve the store with gunicorn; builds the package first if the store is empty.

    PORT is the port (default: 8000; 0: any that is free). The address is printed.
    """
    from api import server
    from api.store.releases import NotInStore, Store

    root = config["STORE"]
    try:
        stored = Store(root).latest().package.name
    except NotInStore:
        built({**config, "PACKAGE": source or config["PACKAGE"]})
        server.replace(root)
    if source is not None:
        _refuse_another(source, stored)
        server.replace(root)
    server.run(config)


def _refuse_another(source: Path, stored: str) -> None:
    """Raise UsageError, unless the package has the name of the one whose releases are in the store."""
    from api.package import open_source

    with open_source(source) as opened:
        name = opened.package.name
    if name != stored:
        raise click.UsageError(f"the store holds releases of {stored!r}, not of {name!r}: set LANTERN_STORE")


@click.command()
@PACKAGE
@click.option("--output", type=click.Path(path_type=Path), default="openapi/openapi.yaml", show_default=True)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if the file is not what would be written.")
@click.pass_obj
def openapi(config: Config, output: Path, check: bool) -> None:
    """Write the OpenAPI document of the package, as a server of its release serves it."""
    from api.app import create_app
    from api.openapi.document import document, written
    from api.package import open_source

    with open_source(config["PACKAGE"]) as source:
        text = written(document(create_app(BASE_URL=""), source.package))
    if not check:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    elif not output.is_file() or output.read_text(encoding="utf-8") != text:
        raise LanternError(f"{output} differs from the document that is served: run lantern openapi")


@click.command("settings")
def show_settings() -> None:
    """List every setting with its default and meaning."""
    for setting in settings.SETTINGS:
        click.echo(f"{settings.PREFIX}{setting.name}\t{setting.default or '(empty)'}\t{setting.help}")


COMMANDS = (serve, openapi, show_settings)
