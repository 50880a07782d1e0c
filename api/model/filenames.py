"""Which names that come from elsewhere may become files here, and under which name the others do."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from pathlib import PurePosixPath
from urllib.parse import quote

from api.model.files import MANIFEST

LONGEST_PART = 255  # bytes: what common file systems take
LONGEST_PATH = 1000
LONGEST_STEM = 200  # bytes of a name before its ending
LONGEST_VERSION = 100
# Besides what file systems forbid: characters that change the direction of text and so make a name look like another.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f\\:*?"<>|\u202a-\u202e\u2066-\u2069\ud800-\udfff]')
_ENDING = re.compile(r"(?<=.)\.[A-Za-z0-9]{1,10}\Z")
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


@lru_cache(maxsize=1024)
def stem(name: str) -> str:
    """The name of a resource or chart as that of a file, without its ending: what some file system refuses is escaped
    as in a URL, and a name that is too long ends with a hash of it.
    """
    safe = "".join(quote(c, safe="", errors="replace") if c in "/%" or _FORBIDDEN.match(c) else c for c in name)
    if safe.startswith(".") or _RESERVED.fullmatch(safe):
        safe = f"%{ord(safe[0]):02X}{safe[1:]}"
    if len(safe.encode()) > LONGEST_STEM:
        start = safe.encode()[: LONGEST_STEM - 18].decode(errors="ignore")
        safe = f"{start}--{sha256(name.encode(errors='replace')).hexdigest()[:16]}"
    return safe


def allowed(path: str) -> str:
    """A path as every system allows it: itself where it is that, else with its parts escaped as `stem` does."""
    if reason(path) is None:
        return path
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    whole = "/".join(_allowed_part(part) for part in parts)
    return whole if parts and len(whole.encode()) <= LONGEST_PATH else stem(path)


def _allowed_part(part: str) -> str:
    if _reason_of_part(part) is None:
        return part
    ending = (_ENDING.search(part) or [""])[0]
    safe = stem(part.removesuffix(ending)) + ending
    return f"{safe[:-1]}%{ord(safe[-1]):02X}" if safe[-1] in ". " else safe


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
        name = folded(path)
        if name == MANIFEST:
            sentences.append(f"the path {path!r} is reserved for the release's own list of files")
        if name in seen:
            sentences.append(f"the paths {seen[name]!r} and {path!r} are one file on some systems")
        seen[name] = path
        folders |= {folded(str(folder)): path for folder in PurePosixPath(path).parents}
    both = seen.keys() & folders.keys()
    return sentences + [f"{seen[name]!r} is a file and a folder (of {folders[name]!r})" for name in both]


def clash(path: str, other: str) -> bool:
    """Whether two paths are one file on some system, or one of them is a folder of the other."""
    one, two = folded(path), folded(other)
    return one == two or one.startswith(f"{two}/") or two.startswith(f"{one}/")


def folded(path: str) -> str:
    """What two names have in common that are one file on some system: upper and lower case, forms of Unicode."""
    return unicodedata.normalize("NFC", path).casefold()
