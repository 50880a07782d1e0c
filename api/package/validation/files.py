"""Checks of files as files: how they are encoded, and whether the descriptor names them all."""

import codecs
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from api.model.files import HISTORY
from api.model.findings import MENDED, Finding, Level
from api.package import attached
from api.package.reading import Source
from api.package.upgrade import paths

FIXED = {name for name in hashlib.algorithms_guaranteed if not name.startswith("shake")}  # those of one length


def undeclared(source: Source) -> Iterator[Finding]:
    """Files beside the declared ones that no resource names; the package's own folder may hold anything."""
    resources = source.package.descriptor["resources"]
    known = {*source.declared, *attached.places(source)}
    folders = {str(Path(path).parent) for resource in resources for path in paths(resource)} - {"."}
    tops = sorted(folder for folder in folders if not any(str(parent) in folders for parent in Path(folder).parents))
    for folder in tops:
        for file in sorted((source.folder / folder).rglob("*")):
            name = file.relative_to(source.folder).as_posix()
            if file.is_file() and name not in known:
                yield Finding("undeclared-file", "no resource names this file", name, expected="a resource, or no file")


def untidy(file: Path, name: str, resource: str) -> Iterator[Finding]:
    """Deviations of a file from UTF-8 without a byte order mark, with LF line ends, also after the last line."""
    number, line = 0, b"\n"
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if number == 1 and line.startswith(codecs.BOM_UTF8):
                message = f"the file begins with a byte order mark{MENDED}"
                yield Finding("byte-order-mark", message, name, resource, 1, expected="none")
            if b"\r" in line:
                yield Finding("line-end", f"a line ends in CR{MENDED}", name, resource, number, expected="LF line ends")
                return
    if not line.endswith(b"\n"):
        yield Finding(
            "line-end", f"the last line has no line end{MENDED}", name, resource, number, expected="LF at the end"
        )


def altered(source: Source) -> Iterator[Finding]:
    """Files whose size or checksum is not the one in the descriptor; a release has its own.

    A previous version that a package carries (api.release.history) is what was published, so that it must be intact.
    """
    level: Level = "error" if source.folder.parent.name == HISTORY else "warning"
    for resource in source.package.descriptor["resources"]:
        name, own, hashed = str(resource["name"]), paths(resource), resource.get("hash")
        if hashed is not None and _algorithm(hashed) is None:
            expected = "an algorithm and its digest, such as sha256:…"
            message, described = f"hash is {json.dumps(hashed)}", source.descriptor_path.name
            yield Finding("hash", message, described, name, value=str(hashed), expected=expected, level="warning")
        if len(own) != 1:
            continue
        size, declared = (source.folder / own[0]).stat().st_size, resource.get("bytes")
        if declared is not None and declared != size:
            message = f"the file's size differs from the descriptor: it has {size} bytes"
            yield Finding("bytes", message, own[0], name, value=str(size), expected=str(declared), level="note")
        algorithm = _algorithm(hashed)
        if algorithm is not None:
            with (source.folder / own[0]).open("rb") as stream:
                actual = hashlib.file_digest(stream, algorithm).hexdigest()
            digest = str(hashed).rpartition(":")[2]
            if actual != digest.lower():
                message = f"the file's checksum differs from the descriptor: it is {actual}"
                yield Finding("hash", message, own[0], name, value=actual, expected=digest, level=level)


def _algorithm(hashed: Any) -> str | None:
    """What a checksum of a descriptor was made with; None for what is no checksum that can be checked."""
    name, _, digest = hashed.rpartition(":") if isinstance(hashed, str) else ("", "", "")
    return (name or "md5").lower() if digest and (name or "md5").lower() in FIXED else None
