"""What every reader of tables shares: what it is given, and what it yields."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any, NamedTuple

from api.model import descriptor
from api.model.findings import Finding
from api.package import upgrade
from api.package.tables import unpacking

JSON = Any
LONGEST_LINE = 64 * 2**20  # characters: a line without end must not fill the memory


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

    @property
    def encoding(self) -> str:
        return upgrade.encoding(self.resource)

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
        """A file of the table as text, line ends as they are, without a byte order mark."""
        encoding = "utf-8-sig" if self.encoding.lower().replace("_", "-") in ("utf-8", "utf8") else self.encoding
        with self.bytes(path) as stream, io.TextIOWrapper(stream, encoding, newline="") as text:
            yield text

    def lines(self, text: io.TextIOBase, file: str) -> Iterator[str]:
        """The lines of a text. Raises BadTable for one without end."""
        number = 0
        while line := text.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE:
                message, expected = "the line is too long to be read", f"at most {LONGEST_LINE} characters"
                raise BadTable(Finding("unreadable-table", message, file, self.name, number, expected=expected))
            yield line
