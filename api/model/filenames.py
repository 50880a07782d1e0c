"""Names that come from elsewhere and become files here: what they may look like."""

import re
import unicodedata
from collections.abc import Iterable

from api.model.files import MANIFEST

LONGEST_PART = 255  # bytes: what common file systems take
LONGEST_PATH = 1000
LONGEST_VERSION = 100
# Besides what file systems forbid: characters that turn the direction of text, which make a name look like another.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f\\:*?"<>|\u202a-\u202e\u2066-\u2069\ud800-\udfff]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
# What the program itself puts into a release's folder or leaves there while it writes.
OWN = (MANIFEST,)


def fault(path: str) -> str | None:
    """Why a path below a release must not become a file, or None. Strict enough for every common file system."""
    if not path:
        return "is empty"
    if len(path.encode("utf-8", "surrogatepass")) > LONGEST_PATH:
        return f"is longer than {LONGEST_PATH} bytes"
    for part in path.split("/"):
        found = _part(part)
        if found:
            return found
    return None


def _part(part: str) -> str | None:
    if part in ("", ".", ".."):
        return "leaves its folder (an absolute path, '.', '..' or an empty part)"
    if _FORBIDDEN.search(part):
        return "holds a backslash, a control character or another one that file systems forbid"
    if len(part.encode()) > LONGEST_PART:
        return f"has a part longer than {LONGEST_PART} bytes"
    if part[0] == "." or part[-1] in ". ":
        return "begins with a dot or ends with a dot or space"
    if _RESERVED.fullmatch(part):
        return "is a device on some systems"
    return None


def version_fault(version: str) -> str | None:
    """Why a version must not become a folder, or None."""
    if "/" in version:
        return "holds a slash"
    if len(version) > LONGEST_VERSION:
        return f"is longer than {LONGEST_VERSION} characters"
    return fault(version)


def faults(paths: Iterable[str]) -> list[str]:
    """What is wrong with the paths of one release, one sentence each: every path by itself, then all together."""
    found: list[str] = []
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path in paths:
        wrong = fault(path)
        if wrong:
            found.append(f"the path {path!r} {wrong}")
            continue
        folded = _folded(path)
        if folded in OWN:
            found.append(f"the path {path!r} is taken by the release's own list of files")
        if folded in seen:
            found.append(f"the paths {seen[folded]!r} and {path!r} are one file on some systems")
        seen[folded] = path
        folders |= {_folded(folder): path for folder in _above(path)}
    found += [f"{seen[name]!r} is a file and a folder (of {folders[name]!r})" for name in seen.keys() & folders.keys()]
    return found


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _above(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]
