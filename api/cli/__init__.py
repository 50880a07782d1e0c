"""The command `lantern`."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from api import settings
from api.cli import copies, data, export

if TYPE_CHECKING:
    from api.store.releases import Release


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lantern", message="%(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Publish a data package: validate, release, serve and mirror it.

    Exit status: 0 done, 1 the data or a verification is wrong, 2 wrong usage.
    """
    try:
        context.obj = settings.load()
    except settings.SettingError as error:
        raise click.UsageError(str(error)) from error


def fail(message: str) -> NoReturn:
    """Say what is wrong with the data and end with status 1."""
    click.echo(message, err=True)
    sys.exit(1)


def say(message: str) -> None:
    """Progress, where somebody watches."""
    if sys.stderr.isatty():
        click.echo(message, err=True)


@main.command()
@click.argument("source", metavar="[PACKAGE]", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def validate(config: dict[str, Any], source: Path | None, as_json: bool) -> None:
    """Check a package: a folder, a descriptor or a zip. Every error names file, row, field and value."""
    from api import package
    from api.release import history

    path = source or config["PACKAGE"]
    report = package.validate(path, history.of(path))
    click.echo(json.dumps(report.to_json(), ensure_ascii=False, indent=2) if as_json else report.text())
    if not report.valid:
        sys.exit(1)


@main.command()
@click.option("--package", "source", type=click.Path(path_type=Path), help="The package (default: LANTERN_PACKAGE).")
@click.option("--store", "root", type=click.Path(path_type=Path), help="The store (default: LANTERN_STORE).")
@click.pass_obj
def build(config: dict[str, Any], source: Path | None, root: Path | None) -> None:
    """Validate a package, add it to the store as a release, and sign the store."""
    release = _built(source or config["PACKAGE"], root or config["STORE"])
    click.echo(f"{release.version} {release.folder}")


def _built(source: Path, root: Path) -> "Release":
    """Build and sign; end with status 1 where the package or the store does not allow it."""
    from api import mirror as mirrored
    from api import trust
    from api.package import PackageError
    from api.release.build import BuildError
    from api.release.build import build as make
    from api.store import atomic_files

    if mirrored.status(root) is not None:
        fail(f"{root} is a mirror: what stands in it is the upstream's, nothing is built into it")
    try:
        release = make(source, root, say)
        trust.sign_store(root, lambda message: click.echo(message, err=True))
    except (BuildError, PackageError, trust.TrustError, atomic_files.Busy) as error:
        fail(str(error))
    return release


@main.command()
@click.argument("source", metavar="[PACKAGE]", required=False, type=click.Path(path_type=Path))
@click.pass_obj
def serve(config: dict[str, Any], source: Path | None) -> None:
    """Serve the store with gunicorn; builds the package first if the store is empty.

    PORT is the port (default: 8000; 0: any that is free). The address is printed.
    """
    from api import server
    from api.store.releases import NotInStore, Store

    try:
        held = Store(config["STORE"]).latest().package.name
    except NotInStore:
        _built(source or config["PACKAGE"], config["STORE"])
        server.replace(config["STORE"])
    if source is not None:
        _refuse_another(source, held)
        server.replace(config["STORE"])
    try:
        server.run(config)
    except settings.SettingError as error:
        raise click.UsageError(str(error)) from error


def _refuse_another(source: Path, held: str) -> None:
    """End, unless the package has the name of the one whose releases are in the store."""
    from api.package import PackageError, open_source

    try:
        with open_source(source) as opened:
            name = opened.package.name
    except PackageError as error:
        fail(str(error))
    if name != held:
        raise click.UsageError(f"the store holds releases of {held!r}, not of {name!r}: set LANTERN_STORE")


@main.command()
@click.pass_obj
def releases(config: dict[str, Any]) -> None:
    """List the releases of the store, newest first."""
    from api.store.releases import Store

    for release in Store(config["STORE"]).releases():
        gone = f"\twithdrawn: {release.withdrawn}" if release.withdrawn is not None else ""
        click.echo(f"{release.version}\t{release.published_at}\t{release.tag}{gone}")


@main.command()
@click.option("--output", type=click.Path(path_type=Path), default="openapi/openapi.yaml", show_default=True)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if the file is not what would be written.")
@click.pass_obj
def openapi(config: dict[str, Any], output: Path, check: bool) -> None:
    """Write the OpenAPI document of the package, as a server of its release serves it."""
    from api.app import create_app
    from api.openapi.document import document, written
    from api.package import PackageError, open_source

    try:
        with open_source(config["PACKAGE"]) as source:
            text = written(document(create_app(BASE_URL=""), source.package))
    except PackageError as error:
        fail(str(error))
    if not check:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    elif not output.is_file() or output.read_text(encoding="utf-8") != text:
        fail(f"{output} is not what is served: run lantern openapi")


@main.command("settings")
def show_settings() -> None:
    """List every setting with its default and meaning."""
    for setting in settings.SETTINGS:
        click.echo(f"{settings.PREFIX}{setting.name}\t{setting.default or '(empty)'}\t{setting.help}")


data.add(main)
copies.add(main)
export.add(main)
