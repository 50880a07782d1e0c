"""What a store's keys are and where they should lie, in words."""

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
    """The fingerprint, then each role's keys, until when they signed, and whether they lie where they should."""
    found = list(metadata.roots(store))
    root = metadata.newest_root(store)
    if root is None:
        raise TrustError(f"{store} has no keys yet: `lantern keys init` makes them, or the first build does")
    yield f"fingerprint  {metadata.fingerprint(found[0][1])}"
    yield "             publish it where nobody can change both (your imprint, a printed page): mirrors compare it"
    if len(found) > 1:
        yield f"             now at root {found[-1][0]}, {metadata.fingerprint(found[-1][1])}"
    state = metadata.state(store)
    ends = {"root": root.signed.expires}
    if state:
        ends |= {found.signed.type: found.signed.expires for found in (state.targets, state.snapshot, state.timestamp)}
    for role in ROLES:
        until = f", signed until {ends[role]:%Y-%m-%d}" if role in ends else ""
        yield f"{role}{until}; keep it {PLACES[role]}"
        for keyid in root.signed.roles[role].keyids:
            path = keys.path(role, keyid)
            yield f"  {path if path.exists() else f'{keyid[:16]} is not in {keys.folder}'}"
    here = [keyid for keyid in root.signed.roles["root"].keyids if keys.path("root", keyid).exists()]
    if here:
        yield f"The root key is in {keys.folder}: move it away from this machine before others copy the store."
