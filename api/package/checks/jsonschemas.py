"""The constraint `jsonSchema`: without network, and within the time that patterns get."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jsonschema  # type: ignore[import-untyped]
from jsonschema import validators
from referencing import Registry
from referencing.exceptions import Unresolvable

from api.model import patterns, types

_EXPRESSIONS = jsonschema.FormatChecker(formats=())


@_EXPRESSIONS.checks("regex", raises=ValueError)  # type: ignore[untyped-decorator]  # the library has no types
def _is_expression(text: object) -> bool:
    return not isinstance(text, str) or bool(patterns.compiled(text))


def validator(schema: Any, budget: patterns.Budget) -> Callable[[Any], bool]:
    """Whether a value fits a JSON Schema. Raises ValueError for what is none, and TooSlow when it is called."""
    try:
        known = validators.validator_for(schema, default=jsonschema.Draft202012Validator)
        known.check_schema(schema, format_checker=_EXPRESSIONS)
    except jsonschema.SchemaError as error:
        raise ValueError(error.message[:200]) from None
    except (RecursionError, re.error, TypeError) as error:
        raise ValueError(str(error)[:200]) from None
    began = 0.0

    def reference(validator: Any, target: Any, value: Any, whole: Any) -> Iterator[Any]:
        if time.thread_time() - began > budget.left:
            raise patterns.TooSlow
        yield from known.VALIDATORS["$ref"](validator, target, value, whole) or ()

    def pattern(validator: Any, expression: str, value: Any, _: Any) -> Iterator[Any]:
        if validator.is_type(value, "string") and not _found(expression, value, budget):
            yield jsonschema.ValidationError("does not match the pattern")

    def properties(validator: Any, expressions: Mapping[str, Any], value: Any, _: Any) -> Iterator[Any]:
        for expression, schema in expressions.items() if validator.is_type(value, "object") else ():
            for name in [name for name in value if _found(expression, name, budget)]:
                yield from validator.descend(value[name], schema, path=name, schema_path=expression)

    guarded = validators.extend(known, {"$ref": reference, "pattern": pattern, "patternProperties": properties})
    judge = guarded(schema, registry=Registry())  # of nothing: what is elsewhere is not fetched

    def holds(value: Any) -> bool:
        nonlocal began
        began = time.thread_time()
        try:
            found = bool(judge.is_valid(value))
        except (Unresolvable, RecursionError, ValueError, TypeError, re.error):
            found = False  # what a schema refers to and does not hold, nothing fits
        budget.charge(began, types.canonical(value))
        return found

    return holds


def _found(expression: str, text: str, budget: patterns.Budget) -> bool:
    return budget.match(patterns.compiled(expression).search, text)
