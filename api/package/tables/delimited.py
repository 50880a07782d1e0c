"""Reads delimited text: CSV and TSV as a Table Dialect describes them, in one file or several.

The rules are those of RFC 4180 and of https://datapackage.org/standard/table-dialect/ . What a lenient reader takes
without a word, lines swallowed by a quote that never closes, is an error; text after a closing quote is a warning.
"""

import codecs
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from api.model.findings import Finding
from api.package import upgrade
from api.package.tables.base import LONGEST_LINE, BadTable, Given, Record

PLAIN: Mapping[str, Any] = {
    **{"delimiter": ",", "quoteChar": '"', "doubleQuote": True, "skipInitialSpace": False},
    **{"header": True, "headerRows": [1]},
}
WITHOUT_EFFECT = ("$schema", "lineTerminator", "headerCase", "headerJoin")
OPTIONS = ("delimiter", "quoteChar", "doubleQuote", "escapeChar", "skipInitialSpace")
LINE_ENDS = ("\n", "\r\n", "\r")
DELIMITERS = ",;\t|"
BLOCK = 2**20
Row = tuple[int, Sequence[str]]  # the line where it begins, and its cells

csv.field_size_limit(LONGEST_LINE)  # of the whole process: the default, 131,072 characters, is less than a GeoJSON cell


def records(given: Given) -> Iterator[Record]:
    """The header, then the rows of one part after another; a later part may repeat the header or not.

    Raises BadTable, UnicodeDecodeError, and what opening the files raises.
    """
    terminator = given.dialect.get("lineTerminator", "\n")
    if terminator not in LINE_ENDS:
        message = f"a table whose lines end in {terminator!r} cannot be read"
        raise BadTable(
            Finding("dialect", message, given.described, given.name, expected="lines that end in LF or CRLF")
        )
    null = given.dialect.get("nullSequence")
    labels: Sequence[str] | None = None
    for path in given.paths or (given.described,):
        with _text(given, path) as text:
            rows = _rows(given, _Lines(given, text, path))
            if labels is None:
                line, labels, rows = _header(given, rows)
                yield Record(path, line, labels)
            else:
                rows = _after_header(given, rows, labels, path)
            for line, cells in rows:
                yield Record(path, line, cells if null is None else [None if cell == null else cell for cell in cells])


def delimiter(given: Given) -> str:
    """What a CSV file of no dialect has between its cells: a comma unless its first line has none and has another."""
    if given.format == "tsv":
        return "\t"
    with _text(given, (given.paths or (given.described,))[0]) as text:
        line = text.readline(65_536)
    return "," if "," in line else max(DELIMITERS, key=line.count)


def is_plain(dialect: Mapping[str, Any]) -> bool:
    """Whether a dialect says no more than plain CSV's."""
    return all(value == PLAIN.get(key) for key, value in dialect.items() if key not in WITHOUT_EFFECT)


def plain_file(given: Given) -> Path | None:
    """The table's file where it is plain CSV, judged without reading rows: it has no quotes, CR or byte order mark."""
    if given.format != "csv" or len(given.paths) != 1 or upgrade.compression_of(given.resource):
        return None
    if not is_plain(given.dialect) or codecs.lookup(given.encoding).name != "utf-8":
        return None
    path, decoder, ends = given.folder / given.paths[0], codecs.getincrementaldecoder("utf-8")(), b"\n"
    with path.open("rb") as file:
        labels = file.readline(BLOCK).rstrip(b"\n").split(b",")
        file.seek(0)
        while block := file.read(BLOCK):
            seam = ends + block
            if b'"' in block or b"\r" in block or b"\n\n" in seam or block.startswith(codecs.BOM_UTF8):
                return None
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                return None
            ends = block[-1:]
    named = given.names is not None or (all(label.strip() for label in labels) and len(set(labels)) == len(labels))
    return path if named else None


@contextmanager
def _text(given: Given, path: str) -> Iterator[io.TextIOBase]:
    if "data" in given.resource:
        yield io.StringIO(str(given.resource["data"]), newline="")
    else:
        with given.text(path) as text:
            yield text


# Headers


def _header(given: Given, rows: Iterator[Row]) -> tuple[int, Sequence[str], Iterator[Row]]:
    """The line and the labels of the header of the first part, and the rows after it."""
    wanted = _header_rows(given)
    if not wanted:
        first = next(rows, None)
        width = len(first[1]) if first else 0
        labels = given.names or [f"field{number}" for number in range(1, width + 1)]
        return 0, labels, rows if first is None else chain([first], rows)
    found = _lines_of_header(rows, wanted)
    if not found:
        return 1, (), rows
    return found[0][0], _joined(given, [cells for _, cells in found]), rows


def _after_header(given: Given, rows: Iterator[Row], labels: Sequence[str], path: str) -> Iterator[Row]:
    """The rows of a later part, without the header if it repeats it. Raises BadTable for a header that is another."""
    wanted = _header_rows(given)
    if not wanted:
        return rows
    found = _lines_of_header(rows, wanted)
    if not found:
        return rows
    line, cells = found[0][0], _joined(given, [cells for _, cells in found])
    own, first = ([cell.strip().casefold() for cell in some] for some in (cells, labels))
    if own == first:
        if list(cells) != list(labels):
            message = f"the header is written otherwise than in {given.paths[0]}"
            given.warn(Finding("header", message, path, given.name, line, expected=",".join(labels), level="warning"))
        return rows
    if len(wanted) > 1 or wanted != [1] or sorted(own) == sorted(first):
        message = f"the header is not the one of {given.paths[0]}"
        raise BadTable(
            Finding("header", message, path, given.name, line, value=",".join(cells), expected=",".join(labels))
        )
    return chain(found, rows)


def _header_rows(given: Given) -> list[int]:
    return [] if given.dialect.get("header") is False else list(given.dialect.get("headerRows") or [1])


def _lines_of_header(rows: Iterator[Row], wanted: Sequence[int]) -> list[Row]:
    """The rows of the header: the first row, or those at the lines that a dialect names; rows above are no data."""
    if list(wanted) == [1]:
        first = next(rows, None)
        return [first] if first else []
    found: list[Row] = []
    for line, cells in rows:
        if line in wanted:
            found.append((line, cells))
        if line >= max(wanted):
            break
    return found


def _joined(given: Given, rows: Sequence[Sequence[str]]) -> Sequence[str]:
    """One label for each column: a row of the header that is shorter than the last goes on with its last label."""
    *above, last = rows
    if not above:
        return last
    join, width = str(given.dialect.get("headerJoin", " ")), len(last)
    filled = [[*cells, *[cells[-1] if cells else ""] * (width - len(cells))] for cells in above]
    return [join.join(part for part in parts if part) for parts in zip(*filled, last, strict=False)]


# Rows


class _Lines:
    """The lines of a part for csv.reader: between rows it leaves out comments and blank lines.

    `begins` is the line where the row under way begins, `raw` its lines so far.
    """

    def __init__(self, given: Given, text: io.TextIOBase, path: str) -> None:
        self.given, self.path = given, path
        self.lines = given.lines(text, path)
        self.comment = str(given.dialect.get("commentChar") or "")
        self.comment_rows = frozenset(given.dialect.get("commentRows") or ())
        self.number = self.begins = self.blank = 0
        self.raw: list[str] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        while True:
            line = next(self.lines)
            self.number += 1
            if not self.raw:
                if self.comment and line.startswith(self.comment) or self.number in self.comment_rows:
                    continue
                if not line.rstrip("\r\n"):
                    self.blank = self.blank or self.number
                    continue
                self.begins = self.number
                if self.blank:  # blank lines at the end are nothing to speak of
                    message, expected = "a blank line is left out", "a row, or no line"
                    self.given.warn(
                        Finding(
                            "blank-line",
                            message,
                            self.path,
                            self.given.name,
                            self.blank,
                            expected=expected,
                            level="warning",
                        )
                    )
                    self.blank = -1
            self.raw.append(line)
            return line


def _rows(given: Given, lines: _Lines) -> Iterator[Row]:
    """The rows of one part. Raises BadTable where a quote that never closes would swallow lines."""
    options = {key.lower(): given.dialect[key] for key in OPTIONS if given.dialect.get(key) is not None}
    if "quoteChar" in given.dialect and given.dialect["quoteChar"] is None:
        options |= {"quotechar": None, "quoting": csv.QUOTE_NONE}
    options = {"delimiter": ",", **options}
    reader = csv.reader(lines, strict=True, **options)
    while True:
        lines.raw = []
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells = _leniently(given, lines, error, options)
            reader = csv.reader(lines, strict=True, **options)
        yield lines.begins, cells


def _leniently(given: Given, lines: _Lines, error: csv.Error, options: Mapping[str, Any]) -> list[str]:
    """The cells of a row that is no CSV as RFC 4180 has it."""
    place = (lines.path, given.name, lines.begins)
    if "unexpected end" in str(error):
        message = "a quote is opened here and still open at the end of the file"
        raise BadTable(Finding("quote", message, *place, expected="a closing quote"))
    begins = lines.begins
    cells: list[str] = next(csv.reader(chain(list(lines.raw), lines), **options))
    if lines.number > begins:
        message = f"a quote is opened here and closed on line {lines.number}, before more text of the same cell"
        raise BadTable(Finding("quote", message, *place, expected="a closing quote at the end of the cell"))
    message = "text stands after a closing quote"
    value = lines.raw[0].rstrip("\r\n")
    given.warn(Finding("quote", message, *place, value=value, expected="quotes around the whole cell", level="warning"))
    return cells
