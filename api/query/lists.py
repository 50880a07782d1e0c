"""How a list of values is cut: by commas, also those that a client escaped, unless one is part of a value.

Most clients escape every comma, so `in=a%2Cb` is usually a list of two. Where some value of the field holds a comma
in the release, only a bare comma separates, and `%2C` is part of a value; yet a list without a bare comma that is, as
a whole, no value of the field is cut at `%2C` too. Repeating the parameter always says what is meant.
"""

from collections.abc import Sequence
from contextlib import suppress

from api.index import sqlite
from api.index.layout import Layout, part
from api.model import types
from api.model.descriptor import Table
from api.query.fields import COMMA, stored
from api.query.parameters import Condition
from api.store.releases import Release


def cut(release: Release | None, table: Table, found: Condition, texts: Sequence[str]) -> list[str]:
    """The values in the texts of a parameter (several: it was repeated), in which an escaped comma is COMMA."""
    values = [value for text in texts for value in text.split(",")]
    if any(COMMA in value for value in values) and _separates(release, table, found, values):
        values = [piece for value in values for piece in value.split(COMMA)]
    return [value.replace(COMMA, ",") for value in values]


def _separates(release: Release | None, table: Table, found: Condition, values: Sequence[str]) -> bool:
    """Whether an escaped comma separates."""
    if release is None or found.field.type == "geopoint":
        return False
    layout = sqlite.layouts(release.index)[(found.foreign.table if found.foreign else table).name]
    if not layout.columns[found.position].commas:
        return True
    return len(values) == 1 and not _is_value(release, layout, found, values[0].replace(COMMA, ","))


def _is_value(release: Release, layout: Layout, found: Condition, text: str) -> bool:
    """Whether some row has that value."""
    kind, at = types.kind(found.field), found.position
    with suppress(ValueError):
        value = stored(kind.parse(text), kind, layout.columns[at])
        sql = f"SELECT 1 FROM {part(layout.number, at)} WHERE c{at} = ? LIMIT 1"
        return bool(sqlite.rows(release.index, sql, [value]))
    return False
