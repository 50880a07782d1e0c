"""The fields that frictionless is given: api.model.types reads their cells, so that what is judged is what is served.

Frictionless keeps headers, rows and keys, and judges formats of text and GeoJSON, which it knows.
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any

import frictionless
from frictionless import system

from api.model import descriptor, types
from api.model.descriptor import Field, Table

JSON = Any
REMEMBERED = 10_000  # texts of each column: most columns repeat their values
FORMATS: Mapping[str, str] = {
    **{"email": "an e-mail address", "uri": "an address, such as https://example.org/page", "uuid": "a UUID"},
    **{"binary": "Base64", "wkt": "well-known text (WKT)"},
}
OF_FRICTIONLESS = {"string": tuple(FORMATS), "geojson": ("default", "topojson")}
AS_STORED = ("yearmonth", "time", "datetime", "duration", *types.STRUCTURED)  # whose equal values are equal stored


def given(table: Table) -> list[dict[str, JSON]]:
    """The fields of a table as frictionless takes them."""
    return [
        {
            "name": field.name,
            "type": Judged.type,
            "constraints": {"unique": True} if field.constraints.get("unique") else {},
            "read": {**field.descriptor, "missingValues": [*field.missing]},
        }
        for field in table.fields
    ]


def reader(field: Field) -> Callable[[str], Any]:
    """Reads a field's cells that are no missing values. Raises ValueError saying what was expected."""
    read = types.kind(field).read
    if field.format not in OF_FRICTIONLESS.get(field.type, ()):
        return read
    said = {"name": "field", "type": field.type, "format": field.format}
    judge = _base64 if field.format == "binary" else frictionless.Field.from_descriptor(said).create_value_reader()
    expected = FORMATS.get(field.format, "a GeoJSON object" if field.format == "default" else "a TopoJSON object")

    def judged(text: str) -> Any:
        value = read(text)
        if judge(text) is None:
            raise ValueError(expected)
        return value

    return judged


def _base64(text: str) -> bytes | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        return None


class Judged(frictionless.Field):
    """A field of frictionless' whose cells our own types read; values are such that equal ones are equal keys."""

    type = "judged"
    builtin = True

    def create_cell_reader(self) -> Callable[[Any], tuple[Any, dict[str, str] | None]]:
        field = descriptor.field_of(self.custom["read"])
        missing, read, store = frozenset(field.missing), reader(field), types.kind(field).store
        key = store if field.type in AS_STORED else _finite if field.type == "number" else None
        known: dict[str | None, tuple[Any, None]] = {None: (None, None)}

        def cell_reader(cell: str | None) -> tuple[Any, dict[str, str] | None]:
            if cell in known:
                return known[cell]
            assert cell is not None
            result: tuple[Any, None] = None, None
            if cell not in missing:
                try:
                    value = read(cell)
                except ValueError as error:
                    return None, {"type": str(error)}
                result = (key(value) if key else value), None
            if len(known) < REMEMBERED:
                known[cell] = result
            return result

        return cell_reader


def _finite(number: Any) -> Any:
    """NaN and infinity are no keys and no parts of sums; JSON says null for them."""
    return number if number.is_finite() else None


class _Fields(frictionless.Plugin):
    """Frictionless's own way to choose the class of a field."""

    def select_field_class(self, type: str | None = None) -> type[Any] | None:
        return Judged if type == Judged.type else None


system.register("lantern", _Fields())
# An error of a row renders a message that nobody reads (api.package.translation has the words): for a table that is
# wrong throughout this took three quarters of the time. Frictionless has no way to choose the classes of errors.
frictionless.errors.RowError.__attrs_post_init__ = lambda _: None  # type: ignore[method-assign]
