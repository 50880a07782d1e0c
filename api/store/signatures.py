"""Until when a store's signatures are valid, read from its tuf/ without verifying them: cheap, for whoever warns."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

FOLDER = "tuf"


class Signature(NamedTuple):
    """One role's signature, and when it expires (ISO 8601, UTC; "" where that cannot be read)."""

    role: str
    expires: str


def of(root: Path) -> tuple[Signature, ...]:
    """The signatures of a store: root, timestamp, snapshot, targets, as far as each names the next."""
    folder, found = root / FOLDER, []
    roots = [int(name) for path in folder.glob("*.root.json") if (name := path.name.split(".")[0]).isdecimal()]
    name = f"{max(roots)}.root.json" if roots else ""
    for role, named in (("root", ""), ("timestamp", "snapshot"), ("snapshot", "targets"), ("targets", "")):
        name = "timestamp.json" if role == "timestamp" else name
        try:
            signed = json.loads((folder / name).read_bytes())["signed"]
            expires = datetime.fromisoformat(signed["expires"]).astimezone(UTC)
            name = f"{int(signed['meta'][f'{named}.json']['version'])}.{named}.json" if named else ""
            found.append(Signature(role, f"{expires:%Y-%m-%dT%H:%M:%SZ}"))
        except (OSError, ValueError, LookupError, TypeError):
            break
    return tuple(found)
