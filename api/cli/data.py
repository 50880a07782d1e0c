"""Commands for those who edit a package: release, format, diff."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import click

PACKAGE = click.option("--package", "source", type=click.Path(path_type=Path), help="Default: LANTERN_PACKAGE.")
STORE = click.option("--store", "root", type=click.Path(path_type=Path), help="Default: LANTERN_STORE.")


def add(main: click.Group) -> None:
    """Put the commands into the group `lantern`."""
    for command in (release, tidy, diff):
        main.add_command(command)


def _fail(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(1)


# release


@click.command()
@click.option("--bump", type=click.Choice(["major", "minor", "patch"]), help="Which part of the version to raise.")
@click.option("--note", default="", help="What changed, for the CHANGELOG.")
@click.option("--from", "former", type=click.Path(path_type=Path), help="The former version (default: in the store).")
@PACKAGE
@STORE
@click.pass_obj
def release(
    config: dict[str, Any], bump: str | None, note: str, former: Path | None, source: Path | None, root: Path | None
) -> None:
    """Draft the next version of the package.

    Edit the data, then run `lantern release --bump minor --note "…"`: the former version, as the store holds it, goes
    into the package's history; the descriptor gets the new version and time, CHANGELOG.md a section, and the table
    of corrections a row for each published value that changed. Write the reasons, then `lantern build`. Without --bump
    the corrections of the version under way are drafted again.
    """
    from api.editing.drafting import DraftError, draft
    from api.package import PackageError

    path = source or config["PACKAGE"]
    if bump and not note:
        raise click.UsageError("--bump needs a --note: what changed, for the CHANGELOG")
    try:
        if bump and former is None:
            former = _former(path, root or config["STORE"])
        done = draft(path, former, bump, note)
    except (DraftError, PackageError) as error:
        _fail(str(error))
    for line in done or ["nothing to draft"]:
        click.echo(line)


def _former(path: Path, root: Path) -> Path:
    """The release in the store that has the package's version, which is the one being left."""
    from api.package import open_source
    from api.store.releases import NotInStore, Store

    with open_source(path) as opened:
        version = opened.package.version
    try:
        return Store(root).version(version).folder
    except NotInStore:
        _fail(
            f"version {version} is not in the store {root}, so what was published is not known: name it with --from "
            "(its package.zip, or a folder), or build the package as it was before the edits"
        )


# format


@click.command("format")
@click.argument("source", metavar="[PACKAGE]", required=False, type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a file is not in form.")
@click.pass_obj
def tidy(config: dict[str, Any], source: Path | None, check: bool) -> None:
    """Sort and normalise the package's CSV files in place, whatever program saved them.

    Reads byte order marks, UTF-16, CRLF, semicolons, tabs, quotes everywhere, columns in another order; writes UTF-8,
    LF, commas, rows by key. What would have to be guessed is left as it is and named.
    """
    from api.editing import format
    from api.package import PackageError

    path = source or config["PACKAGE"]
    if path.suffix.lower() == ".zip":
        raise click.UsageError("a zip cannot be changed in place: name a folder")
    wrong = changed = False
    try:
        for found in format.tidy(path, write=not check):
            click.echo(f"{found.path}: {found.wrong or ', '.join(found.done)}", err=bool(found.wrong))
            wrong, changed = wrong or bool(found.wrong), changed or bool(found.done)
    except PackageError as error:
        _fail(str(error))
    if wrong or (check and changed):
        sys.exit(1)


# diff


@click.command()
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--jsonl", "as_lines", is_flag=True, help="Print each change as a line of JSON, as in changes.jsonl.")
@STORE
@click.pass_obj
def diff(config: dict[str, Any], old: str, new: str, as_json: bool, as_lines: bool, root: Path | None) -> None:
    """What changed from A to B, by row and field: versions in the store, folders, descriptors or zips."""
    from api.package import PackageError
    from api.release import changes

    if as_json and as_lines:
        raise click.UsageError("give either --json or --jsonl, not both")
    try:
        with ExitStack() as stack:
            sides = [stack.enter_context(_side(name, root or config["STORE"])) for name in (old, new)]
            versions = [side.package.version for side in sides]
            lines = changes.lines(*sides)
            show = _jsonl(lines) if as_lines else _json(lines, *versions) if as_json else _text(lines)
            for line in show:
                click.echo(line)
    except (PackageError, ValueError) as error:
        _fail(str(error))


@contextmanager
def _side(name: str, root: Path) -> Iterator[Any]:
    """A version of the store; anything else is a path."""
    from api.release import history
    from api.store.releases import NotInStore, Store

    try:
        path = Store(root).version(name).folder
    except NotInStore as error:
        path = Path(name)
        if not path.exists():
            _fail(f"{error}, and no file or folder {name}")
    with TemporaryDirectory(prefix="lantern-") as scratch, history.side(path, Path(scratch)) as side:
        yield side


def _jsonl(lines: Iterator[str]) -> Iterator[str]:
    return lines


def _json(lines: Iterator[str], old: str, new: str) -> Iterator[str]:
    """One document, written as it comes: the number of changes is not known before."""
    yield f'{{"from":{json.dumps(old)},"to":{json.dumps(new)},"changes":['
    before = next(lines, None)
    for line in lines:
        yield f"{before},"
        before = line
    yield f"{before or ''}]}}"


SIGNS = {"added": "+", "removed": "-", "dataset_added": "+ dataset", "dataset_removed": "- dataset"}
SIGNS |= {"field_added": "+ field", "field_removed": "- field"}


def _text(lines: Iterator[str]) -> Iterator[str]:
    """A line for each row or field, and a last one with the counts of each dataset."""
    counts: dict[str, dict[str, int]] = {}
    for line in lines:
        record = json.loads(line)
        dataset, change = record["dataset"], record["change"]
        counted = counts.setdefault(dataset, {"added": 0, "changed": 0, "removed": 0})
        if change in counted:
            counted[change] += 1
        name = record.get("record") or record.get("field") or (_short(record["row"]) if "row" in record else "")
        if change != "changed":
            yield f"{SIGNS[change]} {dataset} {name}".rstrip()
        for cell in record.get("fields", []):
            yield f"~ {dataset} {name} {cell['field']}: {_short(cell['old'])} → {_short(cell['new'])}"
    for dataset, counted in counts.items():
        yield f"{dataset}: " + ", ".join(f"{count} {change}" for change, count in counted.items())
    if not counts:
        yield "no differences"


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
