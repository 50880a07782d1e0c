"""A store's keys and where each should be kept, in words."""

from collections.abc import Iterator
from pathlib import Path

from api.trust import metadata
from api.trust.keys import ROLES, Keyring, TrustError

PLACES = {
    "root": "offline: on two sticks in two places, never on a server; needed to rotate keys and once in two years",
    "targets": "where releases are built",
    "snapshot": "where cron runs `lantern sign --refresh`",
    "timestamp": "where cron runs `lantern sign --refresh`",
}


def lines(store: Path, keys: Keyring) -> Iterator[str]:
    """The fingerprint, then each role's keys, when its signature expires, and whether they are where they should be."""
    roots = list(metadata.roots(metadata.folder(store)))
    root = metadata.newest_root(store)
    if root is None:
        raise TrustError(f"{store} has no keys yet: `lantern keys init` makes them, or the first build does")
    yield f"fingerprint  {metadata.fingerprint(roots[0][1])}"
    yield "             publish it where nobody can change both (your imprint, a printed page): mirrors compare it"
    if len(roots) > 1:
        yield f"             now at root {roots[-1][0]}, {metadata.fingerprint(roots[-1][1])}"
    state = metadata.state(store)
    ends = {"root": root.signed.expires}
    if state:
        ends |= {part.signed.type: part.signed.expires for part in (state.targets, state.snapshot, state.timestamp)}
    for role in ROLES:
        until = f", signed until {ends[role]:%Y-%m-%d}" if role in ends else ""
        yield f"{role}{until}; keep it {PLACES[role]}"
        for keyid in root.signed.roles[role].keyids:
            path = keys.path(role, keyid)
            yield f"  {path if path.exists() else f'{keyid[:16]} is not in {keys.folder}'}"
    if any(keys.path("root", keyid).exists() for keyid in root.signed.roles["root"].keyids):
        yield f"The root key is in {keys.folder}: move it away from this machine before others copy the store."
