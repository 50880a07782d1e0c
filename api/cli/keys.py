"""Commands about signing: keys, sign, withdraw."""

import sys

import click

from api.cli.options import STORE, Config, tell


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
    from api.trust.keys import keyring

    ring = keyring(config["STORE"], config)
    if not ring.passphrase and sys.stdin.isatty():
        prompt = "Passphrase for the keys (empty: none)"
        ring.passphrase = click.prompt(prompt, default="", hide_input=True, confirmation_prompt=True)
    trust.initialise(config["STORE"], ring, root_keys, threshold)
    trust.sign_store(config["STORE"], tell, keys=ring)
    _show(config)


@keys.command("rotate")
@click.argument("role", type=click.Choice(["root", "targets", "snapshot", "timestamp", "all"]))
@STORE
@click.pass_obj
def keys_rotate(config: Config, role: str) -> None:
    """Replace a role's keys; mirrors follow by themselves. Needs the root key."""
    from api import trust
    from api.trust.keys import ROLES, keyring

    root = config["STORE"]
    trust.rotate(root, ROLES if role == "all" else [role], keyring(root, config), tell)
    _show(config)


@keys.command("show")
@STORE
@click.pass_obj
def keys_show(config: Config) -> None:
    """The fingerprint to publish, and which key lies where."""
    _show(config)


def _show(config: Config) -> None:
    from api.trust.keys import keyring
    from api.trust.show import lines

    for line in lines(config["STORE"], keyring(config["STORE"], config)):
        click.echo(line)


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
    from api.trust.keys import keyring

    root = config["STORE"]
    trust.sign_store(root, tell, refresh=refresh, keys=keyring(root, config))


@click.command()
@click.argument("version")
@click.option("--reason", required=True, help="Why; mirrors show it.")
@STORE
@click.pass_obj
def withdraw(config: Config, version: str, reason: str) -> None:
    """Withdraw a release: it leaves this store, and every mirror at its next sync."""
    from api import trust
    from api.trust.keys import keyring

    root = config["STORE"]
    trust.withdraw(root, version, reason, keys=keyring(root, config))
    click.echo(f"{version} is withdrawn; its files are in {root / 'withdrawn' / version}")


COMMANDS = (keys, sign, withdraw)
