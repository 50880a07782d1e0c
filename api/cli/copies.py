"""Commands about trust and copies: keys, sign, withdraw, mirror, verify."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from api.model.files import MIRROR

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
STORE = click.option("--store", "root", type=FOLDER, help="The store (default: LANTERN_STORE).")


def add(main: click.Group) -> None:
    """Put the commands into the group `lantern`."""
    for command in (keys, sign, withdraw, mirror, verify):
        main.add_command(command)


def _fail(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(1)


def _tell(message: str) -> None:
    click.echo(message, err=True)


@click.group()
def keys() -> None:
    """Make, rotate and show the keys that sign a store.

    Four roles: `root` names the other keys and is needed once in two years: keep it offline, on two sticks in two
    places. `targets` signs new releases, `snapshot` and `timestamp` say that they are current: keep them where releases
    are built and where cron runs `lantern sign --refresh`. LANTERN_KEYS names the folder, LANTERN_KEYS_PASSPHRASE
    encrypts and opens the files.
    """


@keys.command("init")
@STORE
@click.option("--root-keys", default=2, show_default=True, help="Root keys to make: one to use, one in another place.")
@click.option("--threshold", default=1, show_default=True, help="Root keys that must sign together.")
@click.pass_obj
def keys_init(config: dict[str, Any], root: Path | None, root_keys: int, threshold: int) -> None:
    """Make a new store's keys and its first root."""
    from api import trust
    from api.store.atomic_files import Busy
    from api.trust.keys import keyring

    folder = root or config["STORE"]
    try:
        ring = keyring(folder, config)
        if not ring.passphrase and sys.stdin.isatty():
            asked = "Passphrase for the keys (empty: none)"
            ring.passphrase = click.prompt(asked, default="", hide_input=True, confirmation_prompt=True)
        trust.initialise(folder, ring, root_keys, threshold)
        trust.sign_store(folder, _tell, keys=ring)
    except (trust.TrustError, Busy) as error:
        _fail(str(error))
    _show(folder, config)


@keys.command("rotate")
@click.argument("role", type=click.Choice(["root", "targets", "snapshot", "timestamp", "all"]))
@STORE
@click.pass_obj
def keys_rotate(config: dict[str, Any], role: str, root: Path | None) -> None:
    """Replace a role's keys; mirrors follow by themselves. Needs the root key."""
    from api import trust
    from api.store.atomic_files import Busy
    from api.trust.keys import ROLES, keyring

    folder = root or config["STORE"]
    try:
        trust.rotate(folder, ROLES if role == "all" else [role], keyring(folder, config), _tell)
    except (trust.TrustError, Busy) as error:
        _fail(str(error))
    _show(folder, config)


@keys.command("show")
@STORE
@click.pass_obj
def keys_show(config: dict[str, Any], root: Path | None) -> None:
    """The fingerprint to publish, and which key lies where."""
    _show(root or config["STORE"], config)


def _show(folder: Path, config: dict[str, Any]) -> None:
    from api.trust.keys import TrustError, keyring
    from api.trust.show import lines

    try:
        for line in lines(folder, keyring(folder, config)):
            click.echo(line)
    except TrustError as error:
        _fail(str(error))


@click.command()
@STORE
@click.option("--refresh", is_flag=True, help="Only renew what says that the store is current (for cron).")
@click.pass_obj
def sign(config: dict[str, Any], root: Path | None, refresh: bool) -> None:
    """Sign the store as it is. `lantern build` does so by itself.

    Run `lantern sign --refresh` every day: mirrors refuse a signature older than LANTERN_TIMESTAMP_DAYS, because
    somebody could be holding back what is newer.
    """
    from api import trust
    from api.store.atomic_files import Busy
    from api.trust.keys import keyring

    folder = root or config["STORE"]
    try:
        trust.sign_store(folder, _tell, refresh=refresh, keys=keyring(folder, config))
    except (trust.TrustError, Busy) as error:
        _fail(str(error))


@click.command()
@click.argument("version")
@click.option("--reason", required=True, help="Why; mirrors show it.")
@STORE
@click.pass_obj
def withdraw(config: dict[str, Any], version: str, reason: str, root: Path | None) -> None:
    """Withdraw a release: it leaves this store, and every mirror at its next sync."""
    from api import trust
    from api.store.atomic_files import Busy
    from api.trust.keys import keyring

    folder = root or config["STORE"]
    try:
        trust.withdraw(folder, version, reason, keys=keyring(folder, config))
    except (trust.TrustError, Busy) as error:
        _fail(str(error))
    click.echo(f"{version} is withdrawn; its files are in {folder / 'withdrawn' / version}")


@click.command()
@click.argument("url")
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--version", "version", default="", help="Copy this release only.")
@click.option("--latest", is_flag=True, help="Copy the newest release only.")
@click.option("--root", "root_file", type=FILE, help="Trust the root in this file.")
@click.option("--fingerprint", default="", help="Trust the root with this SHA-256.")
@click.option("--repair", is_flag=True, help="Read every file that is here already, and fetch again what is damaged.")
@click.option("--serve", is_flag=True, help="Serve the copy afterwards, also when it could not be brought up to date.")
@click.pass_obj
def mirror(
    config: dict[str, Any],
    url: str,
    folder: Path,
    version: str,
    latest: bool,
    root_file: Path | None,
    fingerprint: str,
    repair: bool,
    serve: bool,
) -> None:
    """Copy a store and prove every byte; safe to interrupt and repeat.

    URL is the address of a Lantern server, of another mirror, or of an export on any web server. Without --root or
    --fingerprint the first run trusts what it is shown, says so, and accepts nothing else from then on. Only what is
    missing is fetched. A source that is altered, incomplete or out of date leaves the copy as it was: status 1.
    """
    from api.mirror.copy import Copied, Wish
    from api.mirror.copy import mirror as copy
    from api.mirror.source import MirrorError
    from api.mirror.tuf_client import Trust

    if version and latest or root_file and fingerprint:
        raise click.UsageError("give --version or --latest, and --root or --fingerprint, not both")
    trust = Trust(root_file.read_bytes() if root_file else None, fingerprint)
    done: Copied | None = None
    try:
        done = copy(url, folder, Wish(version, latest, repair, trust), _tell, _bar, config)
    except MirrorError as error:
        _tell(str(error))
    except KeyboardInterrupt:
        _fail("interrupted: the same command goes on from here")
    if done:
        new = ", ".join(done.added) or "nothing new"
        click.echo(f"{folder} is up to date with {done.status.upstream}: {new}; {done.fetched} bytes fetched")
    if serve and (folder / MIRROR).exists():
        from api import server

        server.replace(folder)
    elif not done:
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
@click.option("--fingerprint", default="", help="The root that must stand behind it (SHA-256).")
@click.option("--strict", is_flag=True, help="An expired signature is an error, not a warning.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def verify(folder: Path, fingerprint: str, strict: bool, as_json: bool) -> None:
    """Check a store, a mirror or an export against its signature: offline, every byte.

    An expired signature is a warning: an archive stays verifiable, but nobody vouches that it is current.
    """
    from dataclasses import asdict

    from api import trust
    from api.mirror import status

    copied = status(folder)
    partial = copied is not None and copied.holds != "all"
    try:
        found = trust.verify(folder, fingerprint=fingerprint, strict=strict, partial=partial)
    except trust.TrustError as error:
        _fail(str(error))
    if as_json:
        click.echo(json.dumps(asdict(found), ensure_ascii=False, indent=2))
    else:
        for line in found.warnings:
            click.echo(f"warning: {line}", err=True)
        for line in found.problems:
            click.echo(line, err=True)
        if not found.problems:
            click.echo(
                f"{len(found.releases)} releases, {found.files} files, {found.bytes} bytes: all as signed\n"
                f"root {found.root}"
            )
    if found.problems:
        sys.exit(1)
