"""Rows written as CSV."""

import csv
from collections.abc import Iterable, Sequence
from typing import TextIO


def write(out: TextIO, rows: Iterable[Sequence[str]], end: str = "\n", delimiter: str = ",") -> None:
    """Write rows of text; Python before 3.13 leaves a lone carriage return unquoted, where readers end the row."""
    plain, quoted = (
        csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=mode)
        for mode in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
    )
    for row in rows:
        (quoted if "\r" in "".join(row) else plain).writerow(row)
