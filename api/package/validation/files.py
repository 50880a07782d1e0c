"""Checks of files as files: how they are encoded, and whether the descriptor names them all."""

import codecs
import hashlib
from collections.abc import Iterator
from pathlib import Path

from api.model.findings import MENDED, Finding
from api.package.reading import Source
from api.package.upgrade import paths


def undeclared(source: Source) -> Iterator[Finding]:
    """Files beside the declared ones that no resource names; the package's own folder may hold anything."""
    resources = source.package.descriptor["resources"]
    folders = {str(Path(path).parent) for resource in resources for path in paths(resource)} - {"."}
    tops = sorted(folder for folder in folders if not any(str(parent) in folders for parent in Path(folder).parents))
    for folder in tops:
        for file in sorted((source.folder / folder).rglob("*")):
            name = file.relative_to(source.folder).as_posix()
            if file.is_file() and name not in source.declared:
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
    """Files whose size or checksum is not the one in the descriptor."""
    for resource in source.package.descriptor["resources"]:
        if len(paths(resource)) != 1:
            continue
        name, file = str(resource["name"]), paths(resource)[0]
        size = (source.folder / file).stat().st_size
        declared = resource.get("bytes")
        if isinstance(declared, int) and declared != size:
            message = "the file's size differs from the descriptor"
            yield Finding("bytes", message, file, name, value=str(size), expected=str(declared))
        algorithm, _, digest = str(resource.get("hash") or "").rpartition(":")
        if digest and (algorithm or "md5") in hashlib.algorithms_guaranteed:
            with (source.folder / file).open("rb") as stream:
                actual = hashlib.file_digest(stream, algorithm or "md5").hexdigest()
            if actual != digest.lower():
                message = "the file's checksum differs from the descriptor"
                yield Finding("hash", message, file, name, value=actual, expected=digest)
