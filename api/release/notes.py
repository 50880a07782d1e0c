"""How a package describes its own changes: the section of a version in its CHANGELOG, the kinds of its corrections."""

import re

from api.model.files import CORRECTIONS
from api.package import Source
from api.package.reading import rows

KINDS = ("correction", "clarification", "addition", "retraction", "reinstatement")
_HEADING = re.compile(r"^##[ \t]+\[?v?([^\s\](]+).*$", re.MULTILINE)


def section(changelog: str, version: str) -> str:
    """The text under a version's heading (`## 1.1.0 …`), empty where there is none."""
    _, *parts = _HEADING.split(changelog)
    return next((text.strip() for of, text in zip(parts[::2], parts[1::2], strict=True) if of == version), "")


def correction_kinds(source: Source) -> list[str]:
    """The kinds of the corrections that a package's version brings, in one order."""
    table = source.package.table(CORRECTIONS)
    if table is None or not {"kind", "version"} <= table.index.keys():
        return []
    present = {row["kind"] for _, row in rows(source, table) if row["version"] == source.package.version}
    return [kind for kind in KINDS if kind in present]
