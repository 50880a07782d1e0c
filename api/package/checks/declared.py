"""What a schema says of its fields: types, formats and constraints that the standard does not know, or that cannot be.

What cannot be used is an error; what is only not understood is a warning, since no value is lost by it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from api.model import moments, patterns, types
from api.model.descriptor import Field, Table
from api.model.findings import Finding
from api.package import fields
from api.package.checks import constraints

Doubt = tuple[str, str, Any, str]  # type of the finding, message, what the schema says, what was expected
TIMED = ("date", "time", "datetime")
FORMATS: Mapping[str, Sequence[str]] = {  # by type, beside the default
    **fields.OF_FRICTIONLESS,
    **dict.fromkeys(TIMED, ("any",)),
    "geopoint": ("array", "object"),
}
ITEMS = ("string", "integer", "boolean", "number", "datetime", "date", "time")


def findings(table: Table, file: str) -> Iterator[Finding]:
    """What is wrong with the fields of a table as the descriptor in `file` describes them."""
    for field in table.fields:
        of = (file, table.name, None, field.name, None)
        for type, message, value, expected in _doubts(field):
            message = f'in the table "{table.name}" {message}'
            yield Finding(type, message, *of, _text(value), expected, "warning")
        for fault in [*_ambiguous(field), *constraints.rules(field, patterns.Budget(1))[1]]:
            message = f'in the table "{table.name}" {fault.message}'
            yield Finding("constraint", message, *of, _text(fault.value), fault.expected)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else types.canonical(value)


def _doubts(field: Field) -> Iterator[Doubt]:
    said = field.descriptor
    if field.type not in types.TYPES:
        yield "unknown-type", f'the type "{field.type}" is read as text', field.type, f"one of {', '.join(types.TYPES)}"
    formats = ("default", *FORMATS.get(field.type, ()))
    if field.format not in formats and not (field.type in TIMED and moments.is_pattern(types.pattern(field))):
        expected = ", ".join(formats) + (" or a strptime pattern, such as %d/%m/%Y" if field.type in TIMED else "")
        yield "unknown-format", f'the format "{field.format}" is read as the default', field.format, expected
    for name, limit in field.constraints.items():
        if not constraints.applies(name, field):
            known = [name for name in constraints.TYPES if constraints.applies(name, field)]
            message = f'the constraint {name} of a field of type "{field.type}" is not checked'
            yield "unknown-constraint", message, limit, ", ".join([*constraints.OF_ALL_TYPES, *known])
    if "required" in said:
        yield "unknown-constraint", "required is not checked", said["required"], "required inside constraints"
    item = said.get("itemType", "string")
    if field.type == "list" and item not in ITEMS:
        yield "unknown-type", f'the items of type "{item}" are read as text', item, f"one of {', '.join(ITEMS)}"
    if field.example is not None:
        try:
            constraints.cast(field, field.example)
        except ValueError as error:
            yield "example", f"the example is not {error}", field.example, str(error)


def _ambiguous(field: Field) -> Iterator[constraints.Fault]:
    """What gives a cell two meanings."""
    said = field.descriptor
    if field.type == "number" and said.get("groupChar") and said["groupChar"] == said.get("decimalChar", "."):
        message = f'groupChar and decimalChar are both "{said["groupChar"]}"'
        yield constraints.Fault(message, said["groupChar"], "two different characters")
    if field.type == "boolean":
        true, false = (said.get(name) or values for name, values in types.BOOLEANS.items())
        for word in [word for word in true if word in false]:
            yield constraints.Fault(f'"{word}" is both true and false', word, "different trueValues and falseValues")
