"""Reads delimited text: CSV and TSV as a Table Dialect describes them, in one file or several.

The rules are those of RFC 4180 and of https://datapackage.org/standard/table-dialect/ . What a lenient reader takes
without a word, lines swallowed by a quote that never closes, is an error; text after a closing quote is a warning.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from api.model.findings import Finding
from api.package import upgrade
from api.package.tables import dialects, headers
from api.package.tables.base import MOST_EXTRA, MOST_TOLD, BadTable, Given, Record, mended
from api.package.tables.parsing import LONGEST_LINE

PLAIN: Mapping[str, Any] = {
    **{"delimiter": ",", "quoteChar": '"', "doubleQuote": True, "skipInitialSpace": False},
    **{"header": True, "headerRows": [1]},
}
WITHOUT_EFFECT = (*dialects.WORDS, "lineTerminator", "headerCase", "headerJoin")
OPTIONS = ("delimiter", "quoteChar", "doubleQuote", "escapeChar", "skipInitialSpace")
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
SAMPLE = 50  # lines that tell the delimiter
BLOCK = 2**20
OF_EXCEL = re.compile('"?sep=(.)"?').fullmatch  # a first line that tells Excel the delimiter, and nobody else
MARKED = b"\n" + codecs.BOM_UTF8
MOST_LINES = 100_000  # of one row: a quote that takes more was never closed

csv.field_size_limit(LONGEST_LINE)  # of the whole process: the default, 131,072 characters, is less than a GeoJSON cell


def settled(given: Given) -> tuple[Given, tuple[Finding, ...]]:
    """A table with a dialect that names its delimiter, and what is to be said of it.

    Raises BadTable for a dialect that is wrong.
    """
    faults = tuple(dialects.faults(given))
    if errors := [finding for finding in faults if finding.level == "error"]:
        raise BadTable(*errors)
    if "delimiter" in given.dialect:
        return given, faults
    delimiter = "\t" if given.format == "tsv" else _delimiter(given)
    if delimiter != "," and given.format == "csv":
        message = f"the cells are taken to be separated by {DELIMITERS[delimiter]}, which no dialect says"
        path, expected = _parts(given)[0], "commas, or the delimiter in the dialect"
        place = (message + mended(given.resource), path, given.name, 1)
        faults += (Finding("delimiter", *place, value=delimiter, expected=expected, level="warning"),)
    return replace(given, resource={**given.resource, "dialect": {**given.dialect, "delimiter": delimiter}}), faults


def records(given: Given) -> Iterator[Record]:
    """The header, then the rows of one part after another; a later part may repeat the header or not.

    Raises BadTable, and what opening the files raises.
    """
    null = given.dialect.get("nullSequence")
    labels: Sequence[str] | None = None
    for path in _parts(given):
        with _text(given, path) as text:
            lines = _Lines(given, text, path)
            rows = _rows(given, lines)
            if labels is None:
                line, labels, rows = headers.first(given, rows, path)
                if labels is None:
                    continue
                yield Record(path, line, labels)
            else:
                rows = headers.after(given, rows, labels, path)
            for line, cells in rows:
                yield Record(path, line, cells if null is None else [None if cell == null else cell for cell in cells])
            lines.tell()
    if labels is None:
        path, expected = _parts(given)[0], "a header, then rows"
        raise BadTable(Finding("empty-file", "the file is empty", path, given.name, expected=expected))


def _parts(given: Given) -> tuple[str, ...]:
    return given.paths or (given.described,)


def _delimiter(given: Given) -> str:
    """What stands between the cells of a CSV file whose dialect does not say so.

    The one that gives the header the names of the schema; else the one that gives each of the first rows as many
    cells, more than one; else a comma unless the header has none and has another.
    """
    path = _parts(given)[0]
    with _text(given, path) as text:
        lines = _Lines(given, text, path)
        sample = list(islice(lines, SAMPLE))
    if lines.separator in DELIMITERS:
        return lines.separator
    options = _options(given)
    skipped = max(headers.rows_of(given), default=1) - 1 if not lines.comment else 0
    rows = {d: [*csv.reader(sample[skipped:], **{**options, "delimiter": d})] for d in DELIMITERS}
    first = {d: found[0] if found else [] for d, found in rows.items()}
    # The last row may go on after the sample.
    widths = {d: {len(cells) for cells in found[: SAMPLE - 1]} for d, found in rows.items()}
    if given.names is not None and headers.rows_of(given):
        wanted = sorted(name.casefold() for name in given.names)
        fitting = [d for d, cells in first.items() if sorted(cell.strip().casefold() for cell in cells) == wanted]
    elif given.names is not None:
        fitting = [d for d, found in widths.items() if found == {len(given.names)}]
    else:
        fitting = []
    fitting += [d for d, found in widths.items() if len(found) == 1 and found != {1}]
    fitting += [","] if len(first[","]) > 1 else [max(DELIMITERS, key=lambda d: len(first[d]))]
    return fitting[0]


def is_plain(dialect: Mapping[str, Any]) -> bool:
    """Whether a dialect says no more than plain CSV's."""
    return all(value == PLAIN.get(key) for key, value in dialect.items() if key not in WITHOUT_EFFECT)


def plain_file(given: Given) -> Path | None:
    """The table's file where it is plain CSV, judged without reading rows: it has no quotes, CR or byte order mark."""
    if given.format != "csv" or len(given.paths) != 1 or upgrade.compression_of(given.resource):
        return None
    if (
        not is_plain(given.dialect)
        or given.dialect.get("headerCase") is False
        or codecs.lookup(given.encoding).name != "utf-8"
    ):
        return None
    path, decoder, ends, length = given.folder / given.paths[0], codecs.getincrementaldecoder("utf-8")(), b"\n", 0
    with path.open("rb") as file:
        labels = file.readline(BLOCK).rstrip(b"\n").split(b",")
        file.seek(0)
        while block := file.read(BLOCK):
            seam = ends + block
            if any(sign in block for sign in (b'"', b"\r", b"\0")) or b"\n\n" in seam or seam.startswith(MARKED):
                return None
            try:
                decoder.decode(block, final=len(block) < BLOCK)
            except UnicodeDecodeError:
                return None
            ends, last = block[-1:], block.rfind(b"\n")
            length = length + len(block) if last < 0 else len(block) - last
            widest = max(line.count(b",") for line in block.split(b"\n"))
            if length > BLOCK or widest >= len(labels) + MOST_EXTRA:
                return None
    alone = len({*labels}) == len(labels)
    if labels[0].startswith(b"sep="):
        return None
    sound = alone if given.names is not None else headers.are_names([label.decode() for label in labels])
    return path if labels != [b""] and sound else None


@contextmanager
def _text(given: Given, path: str) -> Iterator[io.TextIOBase]:
    if "data" in given.resource:
        yield io.StringIO(str(given.resource["data"]), newline="")
    else:
        with given.text(path) as text:
            yield text


# Rows


class _Lines:
    """The lines of a part for csv.reader: between rows it leaves out comments and blank lines.

    `begins` is the line where the row under way begins, `raw` its lines so far, `separator` what a line for Excel says.
    """

    def __init__(self, given: Given, text: io.TextIOBase, path: str) -> None:
        self.given, self.path = given, path
        self.lines = given.lines(text, path)
        self.comment = str(given.dialect.get("commentChar") or "")
        self.comment_rows = frozenset(given.dialect.get("commentRows") or ())
        self.first = min(headers.rows_of(given), default=1)
        self.number = self.begins = self.blank = self.size = 0
        self.separator = ""
        self.raw: list[str] = []
        self.told: Counter[tuple[str, str]] = Counter()

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        while True:
            line = next(self.lines)
            self.number += 1
            if not self.raw:
                if self.comment and line.startswith(self.comment) or self.number in self.comment_rows:
                    continue
                if self.number == 1 and (said := OF_EXCEL(line.rstrip("\r\n"))):
                    self.separator, self.begins = said[1], 1
                    self.note("delimiter", f'the line "{said[0]}", which only Excel knows, is left out', "the header")
                    continue
                if line in dialects.LINE_ENDS:
                    self.blank += self.number >= self.first
                    continue
                self.begins, self.size = self.number, len(line)
                if self.blank:  # blank lines at the end are nothing to speak of
                    left = "a blank line is" if self.blank == 1 else f"{self.blank} blank lines are"
                    self.note(
                        "blank-line",
                        f"{left} left out before this one",
                        "a row, or no line",
                        mended(self.given.resource),
                    )
                    self.blank = 0
            else:
                self.size += len(line)
                lines = self.number - self.begins
                if lines >= MOST_LINES or self.size > LONGEST_LINE:
                    message = f"a quote is opened here and still open after {lines} lines of {self.size} characters"
                    raise BadTable(self.finding("quote", message, "a closing quote"))
            self.raw.append(line)
            return line

    def finding(self, type: str, message: str, expected: str) -> Finding:
        """A finding at the row under way."""
        return Finding(type, message, self.path, self.given.name, self.begins, expected=expected)

    def note(self, type: str, message: str, expected: str, end: str = "", value: str | None = None) -> None:
        """Warn of the row under way; of one kind no more than MOST_TOLD, the rest is counted."""
        self.told[type, expected] += 1
        if self.told[type, expected] <= MOST_TOLD:
            finding = self.finding(type, message + end, expected)
            self.given.warn(replace(finding, value=value, level="warning"))

    def tell(self) -> None:
        """Warn of how many more there were, at the end of the part."""
        for (type, expected), count in self.told.items():
            if count > MOST_TOLD:
                left = count - MOST_TOLD
                more = self.finding(type, f"and {left:,} more like it", expected)
                self.given.warn(replace(more, row=None, count=left, level="warning"))


def _options(given: Given) -> dict[str, Any]:
    """What csv.reader is told of a dialect."""
    options = {key.lower(): given.dialect[key] for key in OPTIONS if given.dialect.get(key) is not None}
    if "quoteChar" in given.dialect and given.dialect["quoteChar"] is None:
        options |= {"quotechar": None, "quoting": csv.QUOTE_NONE}
    if options.get("escapechar") == options.get("quotechar", '"'):  # two quotes for one, which doubleQuote says
        options |= {"escapechar": None, "doublequote": True}
    return {"delimiter": ",", **options}


def _rows(given: Given, lines: _Lines) -> Iterator[headers.Row]:
    """The rows of one part. Raises BadTable where a quote that never closes would swallow lines."""
    options = _options(given)
    reader = csv.reader(lines, strict=True, **options)
    while True:
        lines.raw = []
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells = _leniently(lines, error, options)
            reader = csv.reader(lines, strict=True, **options)
        yield lines.begins, cells


def _leniently(lines: _Lines, error: csv.Error, options: Mapping[str, Any]) -> list[str]:
    """The cells of a row that is no CSV as RFC 4180 has it."""
    endless = {"unexpected end": "at the end of the file", "field larger": f"after {LONGEST_LINE} characters"}
    for part, where in endless.items():
        if part not in str(error):
            continue
        message = f"a quote is opened here and still open {where}"
        raise BadTable(lines.finding("quote", message, "a closing quote"))
    begins, number = lines.begins, lines.number
    cells: list[str] | None = None
    if number == begins:
        with suppress(csv.Error, StopIteration):
            cells = next(csv.reader(chain(list(lines.raw), lines), **options))
    if cells is None or lines.number > begins:
        message = f"a quote is opened here and closed on line {number}, before more text of the same cell"
        raise BadTable(lines.finding("quote", message, "a closing quote at the end of the cell"))
    value = lines.raw[0].rstrip("\r\n")
    lines.note("quote", "text stands after a closing quote", "quotes around the whole cell", value=value)
    return cells
