"""Whether a table has the shape that its schema describes: the header, and the number of cells of each row."""

from collections.abc import Iterator, Sequence
from typing import Any

from api.model.descriptor import MORE_ALLOWED, Table
from api.model.findings import MENDED, Finding
from api.package.checks.base import Checked, key

LONGEST_LIST = 300  # characters
FEW = 3  # names that are enough to know a header by
OF_MERGES = ("<<<<<<<", "=======", ">>>>>>>")  # how the lines begin that git leaves where two versions differ
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
        type, message = "incorrect-label", f"the first line is not the header: it begins {_begin(labels)}"
        field, found, expected = None, labels, [*names[:FEW], *["…"] * (len(names) > FEW)]
    elif missing and [labels.index(label) for label in unknown] == [names.index(name) for name in missing]:
        type, message = "incorrect-label", f"the header has {_quoted(unknown)} in place of {_quoted(missing)}"
    elif missing and unknown:
        type, message = (
            "incorrect-label",
            f"{_quoted(missing)} is missing in the header, {_quoted(unknown)} is too much",
        )
    elif missing:
        type, message = "missing-label", f"{_column(missing)} missing in the header"
        found, expected = labels, missing
    elif unknown and list(labels[: len(names)]) == names and not any(label.strip() for label in unknown):
        type, message = "extra-label", f"the header has {len(unknown)} more columns, which have no name{MENDED}"
        field, expected = None, [f"{len(names)} columns"]
    elif unknown:
        type, message = "extra-label", f"{_column(unknown)} not in the schema"
        field, expected = unknown[0] or None, ["no such column, or a field of this name in the schema"]
    elif len(labels) > len(names):
        found = [label for place, label in enumerate(labels) if label in labels[:place]]
        type, message, expected = "duplicate-label", f"the header lists {_quoted(found)} twice", ["each name once"]
    else:
        places = [place for place, name in enumerate(names) if labels[place] != name]
        found, expected = (some[places[0] : places[-1] + 1] for some in (labels, names))
        type, message = "column-order", f"the columns are in another order, {_cut(', '.join(found))}{MENDED}"
    value = _cut(",".join(found)) if found else None
    yield Finding(type, message, file, table.name, 1, field, value=value, expected=_cut(", ".join(expected)))


def left_out(table: Table, labels: Names, file: str) -> Iterator[Finding]:
    """The columns that are no fields of a schema that allows more."""
    more = [label for label in labels if label not in table.index]
    if more and table.schema.get("fieldsMatch") in MORE_ALLOWED:
        message = f"{_column(more)} left out: the schema has no such field, and its fieldsMatch allows more"
        yield Finding("extra-label", message, file, table.name, 1, value=_cut(",".join(more)), level="warning")


def uneven(checked: Checked, row: Any) -> Finding:
    """The finding for a row with more or fewer cells than the header: which cell is which field's is not known."""
    cells, width = row.cells, len(row.field_names)
    place = (checked.own, checked.table.name, row.row_number)
    if len(cells) == 1 and str(cells[0]).startswith(OF_MERGES):
        return Finding("merge", f'the line "{cells[0]}" is left from a merge', *place, expected="one of two versions")
    type, value = ("extra-cell", ",".join(map(str, cells[width:]))) if len(cells) > width else ("missing-cell", None)
    message = f"the row has {_cells(len(cells))}, the header has {width}"
    return Finding(type, message, *place, None, key(checked.table, row), value, _cells(width))


def _cells(number: int) -> str:
    return "1 cell" if number == 1 else f"{number} cells"


def blank(table: Table, row: Any) -> bool:
    """Whether a row has no value; to frictionless a row of NaN has none either."""
    cells = zip(row.field_names, row.cells, strict=True)
    return all(cell is None or cell in table.field(name).missing for name, cell in cells)


def repeated(checked: Checked, row: Any) -> Finding:
    """The finding for a row that is the header."""
    place = (checked.own, checked.table.name, row.row_number)
    return Finding(
        "repeated-header", "the header stands here again", *place, expected="a row: are these two files in one?"
    )


def _begin(labels: Names) -> str:
    return _cut(", ".join(f'"{label}"' for label in labels[:FEW])) if labels else "with nothing"


def _column(names: Names) -> str:
    if not any(name.strip() for name in names):
        return "a column without a name is" if len(names) == 1 else f"{len(names)} columns without a name are"
    return f"the columns {_quoted(names)} are" if len(names) > 1 else f"the column {_quoted(names)} is"


def _quoted(names: Names) -> str:
    return _cut(", ".join(f'"{name}"' for name in names))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_LIST else f"{text[:LONGEST_LIST]}…"
