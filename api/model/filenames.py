"""Which names that come from elsewhere may become files here."""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

from api.model.files import MANIFEST

LONGEST_PART = 255  # bytes: what common file systems take
LONGEST_PATH = 1000
LONGEST_VERSION = 100
# Besides what file systems forbid: characters that change the direction of text and so make a name look like another.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f\\:*?"<>|\u202a-\u202e\u2066-\u2069\ud800-\udfff]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)


def reason(path: str) -> str | None:
    """Why a path below a release must not become a file, or None. Strict enough for every common file system."""
    if not path:
        return "is empty"
    if len(path.encode("utf-8", "surrogatepass")) > LONGEST_PATH:
        return f"is longer than {LONGEST_PATH} bytes"
    return next(filter(None, map(_reason_of_part, path.split("/"))), None)


def _reason_of_part(part: str) -> str | None:
    if part in ("", ".", ".."):
        return "escapes its folder (an absolute path, '.', '..' or an empty part)"
    if _FORBIDDEN.search(part):
        return "contains a backslash, a control character or another character that file systems forbid"
    if len(part.encode()) > LONGEST_PART:
        return f"has a part longer than {LONGEST_PART} bytes"
    if part[0] == "." or part[-1] in ". ":
        return "has a part that begins with a dot or ends with a dot or space"
    if _RESERVED.fullmatch(part):
        return "is a reserved name on Windows"
    return None


def reason_of_version(version: str) -> str | None:
    """Why a version must not become a folder, or None."""
    if "/" in version:
        return "contains a slash"
    if version == "latest":
        return "is the name under which the latest release is found"
    if len(version) > LONGEST_VERSION:
        return f"is longer than {LONGEST_VERSION} characters"
    return reason(version)


def reasons(paths: Iterable[str]) -> list[str]:
    """Why the paths of one release cannot be used, one sentence each: every path by itself, then all together."""
    sentences: list[str] = []
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path in paths:
        why = reason(path)
        if why:
            sentences.append(f"the path {path!r} {why}")
            continue
        folded = _folded(path)
        if folded == MANIFEST:
            sentences.append(f"the path {path!r} is reserved for the release's own list of files")
        if folded in seen:
            sentences.append(f"the paths {seen[folded]!r} and {path!r} are one file on some systems")
        seen[folded] = path
        folders |= {_folded(str(folder)): path for folder in PurePosixPath(path).parents}
    both = seen.keys() & folders.keys()
    return sentences + [f"{seen[name]!r} is a file and a folder (of {folders[name]!r})" for name in both]


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()
