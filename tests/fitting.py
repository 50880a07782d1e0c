"""Values that filters take, by how the document says that they are written."""

from collections.abc import Mapping
from typing import Any

from api.query.fields import Value

# A value that fits each way in which filters are written.
FITS: Mapping[str, Any] = {
    "Text": "a b",
    "Whole": 12,
    "Number": 1.5,
    "Flag": True,
    "Year": 2007,
    "YearMonth": "2007-03",
    "Day": "2007-03-31",
    "Clock": "13:30:00",
    "Moment": "2007-03-31T13:30:00Z",
    "Duration": "P1Y2M",
    "Point": "-99.13,19.43",
}


def fit(value: Value) -> str:
    """A value that a filter takes."""
    if value.operator.written:
        return "true"
    enum = value.field.constraints.get("enum")
    one = str(enum[0] if enum else FITS[value.kind.written])
    return f"{one},{one}" if value.operator.many else one
