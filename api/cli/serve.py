"""Commands about the server: serve, openapi, settings."""

from pathlib import Path
from tempfile import TemporaryFile

import click

from api import settings
from api.cli.options import COPIES, LENIENT, PACKAGE, STORE, Config, echo, say, store
from api.cli.package import built
from api.model.errors import LanternError


@click.command()
@click.argument("source", metavar="[PACKAGE]", required=False, type=click.Path(path_type=Path))
@COPIES
@LENIENT
@click.pass_obj
def serve(config: Config, source: Path | None) -> None:
    """Serve the store with gunicorn; builds the package first if the store is empty.

    The index of the newest release is made before, where it is missing; those of older ones meanwhile (lantern index).

    PORT is the port (default: 8000; 0: any that is free). The address is printed.
    """
    from api import server
    from api.index import making
    from api.monitoring.log import configure, log
    from api.store.releases import Empty, NotInStore, NotReady

    configure(config["LOG"])
    shelf = store(config)
    try:
        shelf.latest()
    except (Empty, NotInStore):
        server.refuse_address(config["HOST"])
        built({**config, "PACKAGE": source or config["PACKAGE"]})
        server.replace(shelf.root)
    except NotReady:
        pass
    if source is not None:
        _refuse_another(source, {release.package.name for release in shelf.releases()})
        server.replace(shelf.root)
    _refuse_read_only(shelf.root, shelf.index, config["INDEX"])
    for release in shelf.releases():
        if release.withdrawn is None:
            try:
                if not making.good(release):
                    log.info("making the index of release %s", release.version)
                    making.make(release)
                break
            except making.NotMade as error:
                log.warning("release %s is not served: %s", release.version, error)
    server.run(config)


def _refuse_read_only(root: Path, index: Path, setting: str) -> None:
    """Raise SettingError where no index can be written."""
    try:
        for folder in (index.parent, index):
            folder.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=folder):
                pass
    except OSError as error:
        place = f"LANTERN_INDEX={setting!r}" if setting else f"the store {root}"
        message = f"{place} cannot be written ({error.strerror}): set LANTERN_INDEX to a folder for indexes that can"
        raise settings.SettingError(message) from error


@click.command()
@STORE
@click.pass_obj
def index(config: Config) -> None:
    """Make the index of each release again, and remove those of other formats and of releases that are gone.

    An index is what a server asks. It is made by itself where it is missing, from the release's files, and can be
    removed at any time. Before this removes the indexes of another version of the program, that version can be started
    again at once.
    """
    from api.index import making

    shelf = store(config)
    _refuse_read_only(shelf.root, shelf.index, config["INDEX"])
    releases = shelf.releases()
    wrong = dict(shelf.problems)
    if not releases and not wrong:
        raise LanternError(f"{shelf.root} holds no release")
    for release in releases:
        say(f"making the index of release {release.version}")
        try:
            making.make(release, again=True)
            echo(f"{release.version} {release.index}")
        except making.NotMade as error:
            wrong[release.version] = str(error)
    for removed in making.prune(shelf.index, [release.index for release in releases]):
        echo(f"removed {removed}")
    if wrong:
        raise LanternError("\n".join(f"{version} has no index: {reason}" for version, reason in wrong.items()))


def _refuse_another(source: Path, stored: set[str]) -> None:
    """Raise UsageError, unless the package has the name of the one whose releases are in the store."""
    from api.package import opened

    with opened(source) as package:
        name = package.package.name
    if stored and name not in stored:
        known = ", ".join(map(repr, sorted(stored)))
        raise click.UsageError(f"the store holds releases of {known}, not of {name!r}: set LANTERN_STORE")


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
        text = written(document(create_app(), source.package))
    if not check:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    elif not output.is_file() or output.read_text(encoding="utf-8") != text:
        raise LanternError(f"{output} differs from the document that is served: run lantern openapi")


@click.command("settings")
def show_settings() -> None:
    """List every setting with its default and meaning."""
    for setting in settings.SETTINGS:
        echo(f"{settings.PREFIX}{setting.name}\t{setting.default or '(empty)'}\t{setting.help}")


COMMANDS = (serve, index, openapi, show_settings)
