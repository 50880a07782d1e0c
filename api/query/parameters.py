"""Which parameters a request may have: Table Schema → marshmallow.

The fields that are declared here load the query string (api.query.parse) and make the OpenAPI document
(api.openapi.parameters), so the two cannot disagree.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from marshmallow import ValidationError, fields, validate

from api.model import types
from api.model.descriptor import Field, Package, Table
from api.query import foreign
from api.query.fields import OPERATORS, Moment, Names, Operator, Parameters, Repeated, Value, Whole, operators
from api.query.foreign import Foreign

LIMIT_DEFAULT = 100
LIMIT_MAX = 1000
FILTERS_MAX = 40
QUERY_MAX = 4000
TEXT_MAX = 500
BEGINNINGS_MAX = 8
SEPARATOR = "__"
CONTROL = ("limit", "cursor", "sort", "fields", "q", "version", "as_of", "expand", "or", "where", "shape", "excel")
RELEVANCE = "relevance"  # what else rows are sorted by
OR, WHERE = "or", "where"
SHAPES = ("envelope", "array")  # the first is the default


def _few_beginnings(text: str) -> None:
    """Full text takes all rows of every word that begins so, and no engine can interrupt it meanwhile."""
    if text.count("*") > BEGINNINGS_MAX:
        raise ValidationError(f"expected at most {BEGINNINGS_MAX} words that end with a star")


def control(table: Table) -> Parameters:
    """The parameters that every request for a dataset's rows may have."""
    sortable = [f.name for f in table.fields if f.type not in types.STRUCTURED]
    foreign = [key.fields[0] for key in table.foreign_keys if len(key.fields) == 1]
    return {
        "limit": Whole(
            validate=validate.Range(1, LIMIT_MAX, error=f"expected 1 to {LIMIT_MAX}"),
            metadata={"description": f"Rows in one response (default {LIMIT_DEFAULT}; a file has all of them)."},
        ),
        "cursor": fields.String(
            validate=validate.Length(1, 200),
            metadata={"description": "Where the next page begins: taken from links.next, never made up."},
        ),
        "sort": Names(
            dict.fromkeys([*sortable, RELEVANCE]),
            signed=True,
            metadata={
                "description": "Fields to sort by, comma-separated; a minus sign before one reverses it. "
                "Nulls come last. `relevance`, with q: what fits best first.",
            },
        ),
        "fields": Names(
            table.index,
            foreign=True,
            metadata={
                "description": "Only these fields, comma-separated; `key.field`: of the row that a foreign key names.",
            },
        ),
        "q": fields.String(
            validate=[validate.Length(1, TEXT_MAX), _few_beginnings],
            metadata={
                "description": "Full text over the text fields: all words, ignoring accents and case; "
                f'"a phrase" in quotes, the beginning of a word with a star (at most {BEGINNINGS_MAX}).',
            },
        ),
        "version": fields.String(
            validate=validate.Length(1, 60), metadata={"description": "Query this release instead of the latest."}
        ),
        "as_of": Moment(
            metadata={"description": "Query the release that was the latest on this day or at this time (UTC)."}
        ),
        "expand": Names(foreign, metadata={"description": "Foreign keys to give as objects, comma-separated."}),
        "shape": fields.String(
            validate=validate.OneOf(SHAPES, error=f"expected {' or '.join(SHAPES)}"),
            metadata={"description": "array: of JSON the list of rows alone, without meta and links."},
        ),
        "excel": fields.String(
            validate=validate.Equal("1", error="expected 1"),
            metadata={"description": "1: CSV for spreadsheets, with a byte order mark and no formulas."},
        ),
    }


def release_parameters(table: Table) -> Parameters:
    """The parameters of an address that speaks of one release."""
    known = control(table)
    return {name: known[name] for name in ("version", "as_of")}


def conditions() -> Parameters:
    """The parameters of every address that filters which hold conditions, beside the filters themselves."""
    written = (
        "`field=value` or `field__operator=value` (name up to the first `=`; `key.field` goes through a foreign key)"
    )
    one_of = f"{written}. Any of these conditions may hold; all other filters must too."
    return {
        OR: Repeated(metadata={"description": f"A condition, repeatable: {one_of}"}),
        WHERE: Repeated(metadata={"description": f"A filter in another form, repeatable: {written}."}),
    }


def no_parameters(_: Table) -> Parameters:
    """The parameters of an address that has none."""
    return {}


@lru_cache(maxsize=256)
def resolve(table: Table, name: str) -> tuple[Field, Operator] | None:
    """The field and operator that a parameter names, or None. A field's own name comes before an operator's."""
    if name in table.index and name not in CONTROL:
        return table.field(name), OPERATORS["eq"]
    head, separator, last = name.rpartition(SEPARATOR)
    if separator and head in table.index:
        field = table.field(head)
        return next(((field, one) for one in operators(field) if one.name == last), None)
    return None


class Condition(NamedTuple):
    """What the name of a filter says: a field, of this table or of one that a foreign key leads to, and an operator."""

    field: Field
    operator: Operator
    position: int
    foreign: Foreign | None = None


@lru_cache(maxsize=2_000)
def condition(package: Package | None, table: Table, name: str) -> Condition | None:
    """The condition that a parameter names, or None; the table's own fields come first."""
    if found := resolve(table, name):
        return Condition(*found, table.index[found[0].name])
    if package is None or foreign.DOT not in name:
        return None
    head, _, last = name.rpartition(SEPARATOR)
    for written, operator in ((name, "eq"), (head, last)):
        leads = foreign.resolve(package, table, written)
        if leads and (one := next((one for one in operators(leads.field) if one.name == operator), None)):
            return Condition(leads.field, one, leads.position, leads)
    return None


@lru_cache(maxsize=512)
def filters(table: Table) -> Mapping[str, Value]:
    """Every filter parameter of a dataset by name."""
    every: dict[str, Value] = {}
    for field in table.fields:
        for one in operators(field):
            name = field.name + SEPARATOR + one.name
            if one.name == "eq" and field.name not in CONTROL:
                every[field.name] = Value(field, one)
            if resolve(table, name) == (field, one):
                every.setdefault(name, Value(field, one))
    return every
