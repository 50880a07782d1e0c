"""Commands about copies: mirror, verify."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from api.cli.options import FOLDER, Config, echo, tell
from api.model.errors import LanternError
from api.model.files import MIRROR, RELEASES

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("urls", metavar="URL [URL...]", nargs=-1, required=True)
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--version", default="", help="Copy this release only.")
@click.option("--latest", is_flag=True, help="Copy the newest release only; older ones that are here stay.")
@click.option("--keep", type=click.IntRange(1), help="Copy the newest N releases; remove the files of older ones.")
@click.option("--root", type=FILE, help="Trust the root in this file.")
@click.option("--fingerprint", default="", help="Trust the root with this SHA-256.")
@click.option("--new-root", type=FILE, help="From now on trust the root in this file, not the old one.")
@click.option("--repair", is_flag=True, help="Read every file that is here already, and fetch again what is damaged.")
@click.option("--no-index", is_flag=True, help="Make no index: for an archive that is not served.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON (docs/MIRRORS.md).")
@click.option("--serve", is_flag=True, help="Serve the copy afterwards, also when it could not be brought up to date.")
@click.pass_obj
def mirror(
    config: Config, /, urls: tuple[str, ...], folder: Path, no_index: bool, as_json: bool, serve: bool, **given: Any
) -> None:
    """Copy a store and prove every byte; safe to interrupt and repeat.

    URL is the address of a Lantern server, of another mirror, or of an export on any web server; where one cannot be
    followed, the next is tried. Without --root or --fingerprint the first run trusts what it is shown, says so, and
    accepts nothing else from then on. Only what is missing is fetched; what the publisher did not sign is moved away. A
    source that is altered, incomplete or out of date leaves the copy as it was: status 1. So does a release that cannot
    be served, which is named and left out.
    """
    from api.mirror.copy import Copied, NoUpstream, Wish
    from api.mirror.copy import mirror as copy
    from api.mirror.upstream import MirrorError

    for names in (("version", "latest", "keep"), ("root", "fingerprint", "new_root")):
        if sum(bool(given[name]) for name in names) > 1:
            raise click.UsageError(f"give one of --{', --'.join(names)} at most".replace("_", "-"))
    if as_json and serve:
        raise click.UsageError("give --json or --serve, not both")
    latest, keep = given.pop("latest"), given.pop("keep")
    for name in ("root", "new_root"):
        given[name] = given[name] and given[name].read_bytes()
    wish = Wish(newest=keep or int(latest), prune=bool(keep), index=not no_index, **given)
    done: Copied | None = None
    error: MirrorError | None = None
    try:
        done = copy(urls, folder, wish, tell, _bar, config)
    except MirrorError as caught:
        error = caught
        tell(str(error))
    except KeyboardInterrupt:
        raise LanternError("interrupted: the same command goes on from here") from None
    if done:
        _tell(done)
    if as_json:
        failed = done.failed if done else error.failed if isinstance(error, NoUpstream) else {}
        echo(json.dumps(_report(folder, done, failed, str(error or "")), ensure_ascii=False, indent=2))
    elif done:
        new = ", ".join(done.added) or "nothing new"
        state = "is up to date with" if done.is_whole else "holds what can be served of"
        echo(f"{folder} {state} {done.status.synced_from}: {new}; {done.fetched} bytes fetched")
    if serve and (folder / MIRROR).exists():
        from api import server

        server.replace(folder)
    elif not done or not done.is_whole:
        sys.exit(1)


def _tell(done: Any) -> None:
    """What a person must know of a copy that was made (api.mirror.copy.Copied)."""
    for url, reason in done.failed.items():
        tell(f"{url} was left: {reason}")
    for refused, reason in done.refused.items():
        tell(f"release {refused} is refused, it cannot be served: {reason}")
    for reason in done.left.values():
        tell(reason)
    for problem in done.problems:
        tell(f"{problem} (try --repair)")
    for version in done.removed:
        tell(f"release {version} was removed from here")


def _report(folder: Path, done: Any, failed: Mapping[str, str], error: str) -> dict[str, Any]:
    """What --json prints; of a copy that could not be made too, what is here."""
    from dataclasses import asdict

    from tuf.api.exceptions import RepositoryError

    from api.mirror import status, utc_text
    from api.store import release_index
    from api.trust import metadata

    signatures, here, copied = {}, [], None
    with suppress(OSError, ValueError, LookupError, RepositoryError):
        copied = status(folder)
        here = [one.version for one in release_index.of(folder) if (folder / RELEASES / one.version).is_dir()]
        now = datetime.now(UTC)
        for role, expires in metadata.expiries(folder).items():
            signatures[role] = {"expires": utc_text(expires), "days_left": (expires - now).days}
    lists = ("added", "withdrawn", "removed", "moved", "refused", "left", "problems")
    return {
        "up_to_date": bool(done) and done.is_whole,
        "error": error or None,
        "mirror": asdict(copied) if copied else None,
        "stale": copied.stale if copied else None,
        "releases": here,
        **{name: getattr(done, name) if done else {} if name in ("refused", "left") else [] for name in lists},
        "failed": failed,
        "fetched_bytes": done.fetched if done else None,
        "signatures": signatures,
    }


@contextmanager
def _bar(version: str, size: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=max(size, 1), label=version, file=sys.stderr, show_pos=False) as bar:
        yield bar.update


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--fingerprint", default="", help="The expected root (SHA-256).")
@click.option("--strict", is_flag=True, help="An expired signature is an error, not a warning.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def verify(folder: Path, fingerprint: str, strict: bool, as_json: bool) -> None:
    """Check a store, a mirror or an export against its signature: offline, every byte.

    An expired signature is a warning: an archive stays verifiable, but nothing proves that it is current.
    """
    from dataclasses import asdict

    from api import trust
    from api.mirror import status

    copied = status(folder)
    partial = copied is not None and copied.holds != "all"
    verdict = trust.verify(folder, fingerprint=fingerprint, strict=strict, partial=partial)
    if as_json:
        echo(json.dumps(asdict(verdict), ensure_ascii=False, indent=2))
    else:
        for line in [*(f"warning: {line}" for line in verdict.warnings), *verdict.problems]:
            tell(line)
        if not verdict.problems:
            echo(
                f"{len(verdict.releases)} releases, {verdict.files} files, {verdict.bytes} bytes: all as signed\n"
                f"root {verdict.root}"
            )
    if verdict.problems:
        sys.exit(1)


COMMANDS = (mirror, verify)
