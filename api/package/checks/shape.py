"""Whether a table has the shape that its schema describes: the header, and the number of cells of each row."""

from collections.abc import Iterator, Sequence
from typing import Any

from api.model.descriptor import Table
from api.model.findings import MENDED, Finding
from api.package.checks.base import Checked, key

LONGEST_LIST = 300  # characters
Names = Sequence[str]


def header(table: Table, labels: Names, file: str) -> Iterator[Finding]:
    """What is wrong with a table's header, as one finding: which names were found and which are expected."""
    names = [field.name for field in table.fields]
    if list(labels) == names:
        return
    missing = [name for name in names if name not in labels]
    unknown = [label for label in labels if label not in names]
    field: str | None = next(iter(missing), None)
    found: Names = unknown
    expected: Names = missing
    if len(missing) == len(names) > 1:
        type, message = "incorrect-label", "the first line is not the header: none of its cells is the name of a field"
        field, found, expected = None, labels, names
    elif missing and [labels.index(label) for label in unknown] == [names.index(name) for name in missing]:
        type, message = "incorrect-label", f"the header has {_quoted(unknown)} in place of {_quoted(missing)}"
    elif missing and unknown:
        type, message = (
            "incorrect-label",
            f"{_quoted(missing)} is missing in the header, {_quoted(unknown)} is too much",
        )
    elif missing:
        type, message = "missing-label", f"{_column(missing)} missing in the header"
        found, expected = labels, names
    elif unknown:
        type, message = "extra-label", f"{_column(unknown)} not in the schema"
        field, expected = unknown[0], names
    elif len(labels) > len(names):
        found = [label for place, label in enumerate(labels) if label in labels[:place]]
        type, message, expected = "duplicate-label", f"the header lists {_quoted(found)} twice", names
    else:
        places = [place for place, name in enumerate(names) if labels[place] != name]
        found, expected = (some[places[0] : places[-1] + 1] for some in (labels, names))
        type, message = "column-order", f"the columns are in another order, {_cut(', '.join(found))}{MENDED}"
    value = _cut(",".join(found)) if found else None
    yield Finding(type, message, file, table.name, 1, field, value=value, expected=_cut(", ".join(expected)))


def uneven(checked: Checked, row: Any) -> Finding:
    """The finding for a row with more or fewer cells than the header: which cell is which field's is not known."""
    cells, width = row.cells, len(row.field_names)
    type, value = ("extra-cell", ",".join(map(str, cells[width:]))) if len(cells) > width else ("missing-cell", None)
    place = (checked.own, checked.table.name, row.row_number, None, key(checked.table, row))
    message = f"the row has {len(cells)} cells, the header has {width}"
    return Finding(type, message, *place, value=value, expected=f"{width} cells")


def _column(names: Names) -> str:
    return f"the columns {_quoted(names)} are" if len(names) > 1 else f"the column {_quoted(names)} is"


def _quoted(names: Names) -> str:
    return _cut(", ".join(f'"{name}"' for name in names))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_LIST else f"{text[:LONGEST_LIST]}…"
