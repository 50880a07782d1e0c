"""frictionless's fields, made to remember how they read a text: most columns repeat their values.

Registered with frictionless as a plugin, which is its own way to choose the classes of fields.
"""

from collections.abc import Callable
from typing import Any

import frictionless
from frictionless import system

REMEMBERED = 10_000  # texts of each column
TYPES = ("boolean", "date", "datetime", "duration", "integer", "number", "string", "time", "year", "yearmonth")


def _remembering(plain: type[Any]) -> type[Any]:
    """A field that reads each text once; cells with errors are read again, since the caller changes their notes."""

    def create_cell_reader(self: Any) -> Callable[[Any], Any]:
        read = plain.create_cell_reader(self)
        results: dict[str, Any] = {}

        def reader(cell: Any) -> Any:
            if type(cell) is not str:
                return read(cell)
            result = results.get(cell)
            if result is None:
                result = read(cell)
                if not result[1] and len(results) < REMEMBERED:
                    results[cell] = result
            return result

        return reader

    return type(plain.__name__, (plain,), {"create_cell_reader": create_cell_reader})


_REMEMBERING = {type: _remembering(system.select_field_class(type)) for type in TYPES}


class _Fields(frictionless.Plugin):
    def select_field_class(self, type: str | None = None) -> type[Any] | None:
        return _REMEMBERING.get(type or "")


def register() -> None:
    """Have frictionless use these fields in this process, from now on."""
    system.register("lantern", _Fields())
