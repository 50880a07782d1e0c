"""Commands about copies: mirror, verify."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from api.cli.options import FOLDER, Config, echo, tell
from api.model.errors import LanternError
from api.model.files import MIRROR

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("url")
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--version", default="", help="Copy this release only.")
@click.option("--latest", is_flag=True, help="Copy the newest release only.")
@click.option("--root", "root_file", type=FILE, help="Trust the root in this file.")
@click.option("--fingerprint", default="", help="Trust the root with this SHA-256.")
@click.option("--repair", is_flag=True, help="Read every file that is here already, and fetch again what is damaged.")
@click.option("--no-index", is_flag=True, help="Make no index: for an archive that is not served.")
@click.option("--serve", is_flag=True, help="Serve the copy afterwards, also when it could not be brought up to date.")
@click.pass_obj
def mirror(
    config: Config, /, url: str, folder: Path, root_file: Path | None, no_index: bool, serve: bool, **wish: Any
) -> None:
    """Copy a store and prove every byte; safe to interrupt and repeat.

    URL is the address of a Lantern server, of another mirror, or of an export on any web server. Without --root or
    --fingerprint the first run trusts what it is shown, says so, and accepts nothing else from then on. Only what is
    missing is fetched. A source that is altered, incomplete or out of date leaves the copy as it was: status 1. So does
    a release that cannot be served, which is named and left out.
    """
    from api.mirror.copy import Copied, Wish
    from api.mirror.copy import mirror as copy
    from api.mirror.upstream import MirrorError

    if wish["version"] and wish["latest"] or root_file and wish["fingerprint"]:
        raise click.UsageError("give --version or --latest, and --root or --fingerprint, not both")
    root = root_file.read_bytes() if root_file else None
    done: Copied | None = None
    try:
        done = copy(url, folder, Wish(index=not no_index, root=root, **wish), tell, _bar, config)
    except MirrorError as error:
        tell(str(error))
    except KeyboardInterrupt:
        raise LanternError("interrupted: the same command goes on from here") from None
    if done:
        for refused, reason in done.refused.items():
            tell(f"release {refused} is refused, it cannot be served: {reason}")
        for reason in done.left.values():
            tell(reason)
        new = ", ".join(done.added) or "nothing new"
        state = "is up to date with" if not done.refused else "holds what can be served of"
        echo(f"{folder} {state} {done.status.upstream}: {new}; {done.fetched} bytes fetched")
    if serve and (folder / MIRROR).exists():
        from api import server

        server.replace(folder)
    elif not done or done.refused or done.left:
        sys.exit(1)


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
