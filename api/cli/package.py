"""Commands for those who edit and publish a package: validate, build, releases, release, format, diff."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from api.cli.options import COPIES, LENIENT, PACKAGE, STORE, Config, echo, say, store, tell
from api.model.errors import LanternError
from api.store.release_index import Entry
from api.store.releases import Gone, NotInStore, NotReady, Release, order

HINT = "with --lenient what can be read is published, and what was wrong is told beside it"


@click.command()
@PACKAGE
@COPIES
@LENIENT
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def validate(config: Config, as_json: bool) -> None:
    """Check a package: a folder, a descriptor or a zip. Every error names file, row, field and value."""
    from api import package
    from api.release import history

    path, lenient = config["PACKAGE"], config["LENIENT"]
    report = package.validate(path, history.of(path), copies=config["COPIES"], relaxed=lenient)
    echo(json.dumps(report.to_json(), ensure_ascii=False, indent=2) if as_json else report.text())
    if not report.valid:
        if any(finding.resource for finding in report.errors) and not lenient and not as_json:
            click.echo(HINT)
        sys.exit(1)


@click.command()
@PACKAGE
@COPIES
@LENIENT
@STORE
@click.pass_obj
def build(config: Config) -> None:
    """Validate a package, add it to the store as a release, and sign the store."""
    release = built(config)
    echo(f"{release.version} {release.folder}")


def built(config: Config) -> Release:
    """The release of the package, built and signed. Raises LanternError where package or store does not allow it."""
    from api import trust
    from api.release.build import NotValid, build
    from api.trust import metadata

    root = config["STORE"]
    if metadata.newest_root(root) is None:
        trust.keyring(root).refuse_strangers(root)
    lenient = config.get("LENIENT", False)
    try:
        release = build(config["PACKAGE"], root, say, config["INDEX"], config.get("COPIES"), lenient)
    except NotValid as error:
        raise error if lenient else NotValid(f"{error}\n{HINT}") from error
    trust.sign_store(root, tell)
    return release


@click.command()
@STORE
@click.pass_obj
def releases(config: Config) -> None:
    """List the releases of the store, newest first."""
    shelf = store(config)
    every: list[Release | Entry] = [*shelf.releases(), *(one for one in shelf.withdrawn().values() if one.removed)]
    for one in sorted(every, key=lambda one: order(one.version), reverse=True):
        gone = f"\twithdrawn: {one.withdrawn}" if one.withdrawn is not None else ""
        echo(f"{one.version}\t{one.published_at or 'not dated'}\t{getattr(one, 'tag', 'removed')}{gone}")


@click.command()
@click.option("--bump", type=click.Choice(["major", "minor", "patch"]), help="Which part of the version to raise.")
@click.option("--note", default="", help="What changed, for the CHANGELOG.")
@click.option(
    "--from", "previous", type=click.Path(path_type=Path), help="The previous version (default: in the store)."
)
@PACKAGE
@STORE
@click.pass_obj
def release(config: Config, bump: str | None, note: str, previous: Path | None) -> None:
    """Draft the next version of the package.

    Edit the data, then run `lantern release --bump minor --note "…"`: the previous version, as the store holds it, goes
    into the package's history, unless it was removed; the descriptor gets the new version and time, CHANGELOG.md a
    section, and the table of corrections a row for each published value that changed. Write the reasons, then `lantern
    build`. Without --bump the corrections of the version under way are drafted again. Wrong values are
    drafted as they are; where a table cannot be read nothing is.
    """
    from api.editing.drafting import draft

    if bump and not note:
        raise click.UsageError("--bump needs a --note: what changed, for the CHANGELOG")
    with _said("nothing is drafted: published rows are compared with those of tables that can be read"):
        if bump and previous is None:
            previous = _previous(config)
        for line in draft(config["PACKAGE"], previous, bump, note) or ["nothing to draft"]:
            echo(line)


@contextmanager
def _said(what: str) -> Iterator[None]:
    """Says what is not done with a package that cannot be opened as it is, since `--lenient` could serve it."""
    from api.package import PackageError

    try:
        yield
    except PackageError as error:
        raise LanternError(f"{error}\n{what}. Mend this first; --lenient is for what is served only") from error


def _previous(config: Config) -> Path | None:
    """The release in the store that has the package's version, which is the one being left; None for a removed one."""
    from api.package import open_source

    with open_source(config["PACKAGE"]) as opened:
        version = opened.package.version
    try:
        return store(config).version(version).folder
    except Gone as error:
        if error.entry.removed:
            return None
        raise
    except (NotInStore, NotReady) as error:
        raise LanternError(
            f"version {version} is not in the store {config['STORE']}, so what was published is not known: name "
            "it with --from (its package.zip, or a folder), or build the package as it was before the edits"
        ) from error


@click.command("format")
@PACKAGE
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a file would change.")
@click.pass_obj
def tidy(config: Config, check: bool) -> None:
    """Sort and normalise the package's CSV files in place, whatever program saved them.

    Reads byte order marks, UTF-16, CRLF, semicolons, tabs, quotes everywhere, columns in another order; writes UTF-8,
    LF, commas, rows by key. What would have to be guessed is left as it is and named. Values are not judged, so a table
    with wrong ones is put in order like any other (lantern validate names them).
    """
    from api.editing import format

    path = config["PACKAGE"]
    if path.suffix.lower() == ".zip":
        raise click.UsageError("a zip cannot be changed in place: name a folder")
    wrong = False
    with _said("nothing is put in order: which files are tables, and in which order their columns are, is not known"):
        for file in format.tidy(path, write=not check):
            echo(f"{file.path}: {file.reason or ', '.join(file.done)}", err=bool(file.reason))
            wrong = wrong or check or bool(file.reason)
    if wrong:
        sys.exit(1)


@click.command()
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--jsonl", "as_lines", is_flag=True, help="Print each change as a line of JSON, as in changes.jsonl.")
@STORE
@click.pass_obj
def diff(config: Config, old: str, new: str, as_json: bool, as_lines: bool) -> None:
    """What changed from A to B, by row and field: versions in the store, folders, descriptors or zips."""
    from api.release import changes

    if as_json and as_lines:
        raise click.UsageError("give either --json or --jsonl, not both")
    with ExitStack() as stack:
        sides = [stack.enter_context(_side(name, config)) for name in (old, new)]
        versions = [side.package.version for side in sides]
        lines = changes.lines(*sides)
        for line in lines if as_lines else _json(lines, *versions) if as_json else _text(lines):
            echo(line)


@contextmanager
def _side(name: str, config: Config) -> Iterator[Any]:
    """A version of the store; anything else is a path."""
    from api.release import history

    try:
        path = store(config).version(name).folder
    except (NotInStore, NotReady) as error:
        path = Path(name)
        if not path.exists():
            raise LanternError(f"{error}, and no file or folder {name}") from error
    with TemporaryDirectory(prefix="lantern-") as scratch, history.side(path, Path(scratch)) as side:
        yield side


def _json(lines: Iterator[str], old: str, new: str) -> Iterator[str]:
    """One document, written as it comes: the number of changes is not known before."""
    yield f'{{"from":{json.dumps(old)},"to":{json.dumps(new)},"changes":['
    before = next(lines, None)
    for line in lines:
        yield f"{before},"
        before = line
    yield f"{before or ''}]}}"


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
        if change != "changed":  # but added or removed: a row, a field or a dataset
            *what, done = change.split("_")
            yield " ".join(["+" if done == "added" else "-", *what, dataset, name]).rstrip()
        for cell in record.get("fields", []):
            yield f"~ {dataset} {name} {cell['field']}: {_short(cell['old'])} → {_short(cell['new'])}"
    for dataset, counted in counts.items():
        yield f"{dataset}: " + ", ".join(f"{count} {change}" for change, count in counted.items())
    if not counts:
        yield "no differences"


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


COMMANDS = (validate, build, releases, release, tidy, diff)
