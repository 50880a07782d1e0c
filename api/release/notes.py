"""How a package describes its own changes: the section of a version in its CHANGELOG, the kinds of its corrections."""

import re

from api.model.files import CORRECTIONS
from api.package import Source
from api.package.reading import rows

KINDS = ("correction", "clarification", "addition", "retraction", "reinstatement")
_HEADING = re.compile(r"^##[ \t]+\[?v?(?P<version>[^\s\](]+).*$", re.MULTILINE)


def section(changelog: str, version: str) -> str:
    """The text under a version's heading (`## 1.1.0 …`), empty where there is none."""
    heads = list(_HEADING.finditer(changelog))
    for place, match in enumerate(heads):
        if match["version"] == version:
            end = heads[place + 1].start() if place + 1 < len(heads) else len(changelog)
            return changelog[match.end() : end].strip()
    return ""


def correction_kinds(source: Source) -> list[str]:
    """The kinds of the corrections that a package's version brings, in one order."""
    table = source.package.table(CORRECTIONS)
    if table is None or not {"kind", "version"} <= table.index.keys():
        return []
    present = {row["kind"] for _, row in rows(source, table) if row["version"] == source.package.version}
    return [kind for kind in KINDS if kind in present]
