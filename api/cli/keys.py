"""Commands about signing: keys, sign, withdraw."""

import sys
from pathlib import Path

import click

from api.cli.options import STORE, Config, echo, tell

PLACES = {
    "root": "offline: on two sticks in two places, never on a server; needed to rotate keys and once in two years",
    "targets": "where releases are built",
    "snapshot": "where cron runs `lantern sign --refresh`",
    "timestamp": "where cron runs `lantern sign --refresh`",
}


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
def keys_init(config: Config, root_keys: int, threshold: int) -> None:
    """Make a new store's keys and its first root."""
    from api import trust

    ring = trust.keyring(config["STORE"])
    if not ring.passphrase and sys.stdin.isatty():
        prompt = "Passphrase for the keys (empty: none)"
        ring.passphrase = click.prompt(prompt, default="", hide_input=True, confirmation_prompt=True)
    trust.initialise(config["STORE"], ring, root_keys, threshold)
    trust.sign_store(config["STORE"], tell, keys=ring)
    _show(config["STORE"])


@keys.command("rotate")
@click.argument("role", type=click.Choice([*PLACES, "all"]))
@STORE
@click.pass_obj
def keys_rotate(config: Config, role: str) -> None:
    """Replace a role's keys; mirrors follow by themselves. Needs the root key."""
    from api import trust

    roles = list(PLACES) if role == "all" else [role]
    trust.rotate(config["STORE"], roles, trust.keyring(config["STORE"]), tell)
    _show(config["STORE"])


@keys.command("show")
@STORE
@click.pass_obj
def keys_show(config: Config) -> None:
    """The fingerprint to publish, and which key lies where."""
    _show(config["STORE"])


def _show(store: Path) -> None:
    """The fingerprint, then each role's keys, when its signature expires, and whether they are where they should be."""
    from api import trust
    from api.trust import metadata

    ring = trust.keyring(store)
    roots, newest = list(metadata.roots(metadata.folder(store))), metadata.newest_root(store)
    if newest is None:
        raise trust.TrustError(f"{store} has no keys yet: `lantern keys init` makes them, or the first build does")
    echo(f"fingerprint  {metadata.fingerprint(roots[0][1])}")
    echo("             publish it where nobody can change both (your imprint, a printed page): mirrors compare it")
    if len(roots) > 1:
        echo(f"             now at root {roots[-1][0]}, {metadata.fingerprint(roots[-1][1])}")
    ends = {role: f", signed until {expires:%Y-%m-%d}" for role, expires in metadata.expiries(store).items()}
    for role, place in PLACES.items():
        echo(f"{role}{ends.get(role, '')}; keep it {place}")
        for keyid in newest.signed.roles[role].keyids:
            path = ring.path(role, keyid)
            echo(f"  {path if path.exists() else f'{keyid[:16]} is not in {ring.folder}'}")
    if any(ring.path("root", keyid).exists() for keyid in newest.signed.roles["root"].keyids):
        echo(f"The root key is in {ring.folder}: move it away from this machine before others copy the store.")


@click.command()
@STORE
@click.option("--refresh", is_flag=True, help="Only renew what says that the store is current (for cron).")
@click.pass_obj
def sign(config: Config, refresh: bool) -> None:
    """Sign the store as it is. `lantern build` does so by itself.

    Run `lantern sign --refresh` every day: mirrors refuse a signature older than LANTERN_TIMESTAMP_DAYS, because
    somebody could be holding back what is newer.
    """
    from api import trust

    trust.sign_store(config["STORE"], tell, refresh=refresh)


@click.command()
@click.argument("version")
@click.option("--reason", required=True, help="Why; mirrors show it.")
@STORE
@click.pass_obj
def withdraw(config: Config, version: str, reason: str) -> None:
    """Withdraw a release: it leaves this store, and every mirror at its next sync."""
    from api import trust

    trust.withdraw(config["STORE"], version, reason, tell)
    echo(f"{version} is withdrawn; its files are in {config['STORE'] / 'withdrawn' / version}")


COMMANDS = (keys, sign, withdraw)
