"""What every reader of tables shares: what it is given, and what it yields."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any, NamedTuple

from api.model import descriptor
from api.model.findings import MENDED, Finding
from api.package import upgrade
from api.package.checks.structure import MOST_COLUMNS
from api.package.tables import encodings, unpacking
from api.package.tables.parsing import LONGEST_LINE

JSON = Any
MOST_TOLD = 100  # places of one kind in one file
MOST_EXTRA = 100  # cells of a row beyond the header: each is an error that frictionless makes with the whole row
PLAIN: tuple[JSON, ...] = ({}, {"delimiter": ","})  # dialects of files that `lantern format` takes


class BadTable(Exception):
    """A table that cannot be read; the findings say why."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("; ".join(finding.message for finding in findings))
        self.findings = findings


class Record(NamedTuple):
    """A row: the file and the line (from 1) where it begins, and its cells; None is what the source says is null."""

    file: str
    line: int
    cells: Sequence[str | None]


def mended(resource: Mapping[str, JSON]) -> str:
    """What is said of a fault in the form of a table's file, where `lantern format` mends it."""
    kind = (upgrade.format_of(resource), upgrade.compression_of(resource), upgrade.encoding(resource).lower())
    own = resource.get("dialect") or {}
    return MENDED if kind == ("csv", "", "utf-8") and len(upgrade.paths(resource)) == 1 and own in PLAIN else ""


@dataclass(frozen=True)
class Given:
    """A table to read: its resource, upgraded, with schema and dialect inside, and the folder of its package.

    `described` names the descriptor, which holds inline data. `warn` takes what is noticed and loses nothing.
    """

    resource: Mapping[str, JSON]
    folder: Path
    described: str
    warn: Callable[[Finding], object] = lambda _: None

    @property
    def name(self) -> str:
        return str(self.resource["name"])

    @cached_property
    def format(self) -> str:
        return upgrade.format_of(self.resource)

    @property
    def dialect(self) -> Mapping[str, JSON]:
        return self.resource.get("dialect") or {}

    @property
    def paths(self) -> tuple[str, ...]:
        return upgrade.paths(self.resource)

    @property
    def file(self) -> str:
        """The file of the table, its first one; the descriptor for inline data."""
        return (*self.paths, self.described)[0]

    @cached_property
    def encoding(self) -> str:
        """The encoding of the files. Raises BadTable for a name that is not one of texts."""
        name = upgrade.encoding(self.resource)
        if not encodings.exists(name):
            message, expected = f'there is no encoding "{name}"', 'the name of one, such as "utf-8" or "windows-1252"'
            raise BadTable(Finding("encoding", message, self.described, self.name, value=name, expected=expected))
        return name

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        """The names of the schema's fields; None where there is no schema."""
        if not descriptor.is_table(self.resource):
            return None
        return tuple(str(field["name"]) for field in self.resource["schema"]["fields"])

    def warning(self, warn: Callable[[Finding], object]) -> "Given":
        return replace(self, warn=warn)

    @contextmanager
    def bytes(self, path: str) -> Iterator[IO[bytes]]:
        """A file of the table, unpacked."""
        with unpacking.stream(self.folder / path, {**self.resource, "path": path}) as stream:
            yield stream

    @contextmanager
    def text(self, path: str) -> Iterator[io.TextIOBase]:
        """A file of the table as text, line ends as they are."""
        with self.bytes(path) as stream, io.TextIOWrapper(stream, self.encoding, newline="") as text:
            yield text

    def lines(self, text: io.TextIOBase, file: str) -> Iterator[str]:
        """The lines of a text, without a byte order mark.

        Raises BadTable for a line without end, null characters, and bytes that are not in the table's encoding.
        """
        number = 0
        try:
            while line := text.readline(LONGEST_LINE):
                number += 1
                if number == 1:
                    line = line.removeprefix("\ufeff")
                if "\0" in line:
                    raise BadTable(self._null(line, file, number))
                if len(line) == LONGEST_LINE:
                    message, expected = f"the line has {LONGEST_LINE:,} characters or more", "fewer"
                    raise BadTable(Finding("unreadable-table", message, file, self.name, number, expected=expected))
                yield line
        except UnicodeDecodeError:
            raise BadTable(self.undecodable(file)) from None

    def _null(self, line: str, file: str, number: int) -> Finding:
        """What is said of a null character, which UTF-16 has at every other place."""
        if number == 1 and line.startswith("PK\x03\x04"):
            message, expected = "the file is a workbook or an archive, and no text", "the sheet, saved as CSV UTF-8"
            return Finding("unreadable-table", message, file, self.name, expected=expected)
        wide = len(line) > line.count("\0") * 3 / 2 > len(line) / 2
        message = "the line holds null characters" + (": it looks like UTF-16" if wide else "")
        return Finding("encoding", message, file, self.name, number, expected="text without null characters")

    def undecodable(self, file: str) -> Finding:
        """What is said of a file that is not in the table's encoding."""
        with self.bytes(file) as stream:
            fault = encodings.fault(stream, self.encoding)
        end = mended(self.resource) if fault.looks_like == "UTF-16" else ""
        expected = f'{self.encoding}, or the file\'s "encoding" in the descriptor'
        return Finding("encoding", fault.text + end, file, self.name, fault.line, expected=expected)


def refuse_wide(row: Record, given: Given, most: int | None = None) -> None:
    """Raises BadTable for a row of more cells; without a number, for a header of more than can be read."""
    what, limit = ("header", MOST_COLUMNS) if most is None else ("row", most)
    if len(row.cells) > limit:
        message, expected = f"the {what} has {len(row.cells):,} cells", f"at most {limit:,}"
        raise BadTable(Finding("extra-cell", message, row.file, given.name, row.line or None, expected=expected))
