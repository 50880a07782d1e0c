"""Commands about signing: keys, sign, withdraw."""

import sys
from pathlib import Path

import click

from api.cli.options import STORE, Config, echo, store, tell
from api.model.files import HISTORY, WITHDRAWN

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
    ours = {ring.path(role, keyid) for role in PLACES for keyid in newest.signed.roles[role].keyids}
    for path in sorted(set(ring.folder.glob("*.pem")) - ours):
        echo(f"{path} is no key of this store: move it to a folder of its own store's")
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
@click.option("--reason", required=True, help="Why, for everyone to read. Do not repeat what must not be published.")
@click.option("--remove", is_flag=True, help="Delete its files, here and on every mirror: for courts, private persons.")
@STORE
@click.pass_obj
def withdraw(config: Config, version: str, reason: str, remove: bool) -> None:
    """Withdraw a release: it is no longer the latest of anything, here and on every mirror from its next sync on.

    Who names its version still gets it, marked as withdrawn: what was written with its figures stays checkable. With
    --remove nobody does, also of a release that was withdrawn before. An interrupted command is finished by the same.
    """
    from api import trust

    if not reason.strip():
        raise click.UsageError("--reason must say why")
    root = config["STORE"]
    after = [one.version for one in store(config).releases() if one.manifest.get("previous") == version]
    trust.withdraw(root, version, reason, tell, remove=remove)
    if remove:
        echo(
            f"{version} is removed: its files are deleted, and its addresses respond with 410 and the reason.\n"
            "Mirrors delete it at their next sync, static exports at the next `lantern export`. Not deleted: copies in "
            f"caches, proxies and backups, downloads, and {HISTORY}/{version} of the package."
        )
        for later in after:
            echo(f"What changed from {version} to {later} is still told by release {later} (changes.jsonl).")
        return
    echo(
        f"{version} is withdrawn: it is never the latest, and no date leads to it. It is still served to who names its "
        f"version, marked as withdrawn, from {root / WITHDRAWN / version}.\n"
        "Mirrors serve it as before until their next sync, and then like this store; static exports until the next "
        "`lantern export`. To take its files away everywhere: the same command with --remove."
    )


COMMANDS = (keys, sign, withdraw)
