"""What schemathesis has to be told: the rules that the document can only say in words.

OpenAPI 3.0 describes each parameter by itself. Here some exclude each other, a cursor must come from an answer, and a
question has a size. The check positive_data_acceptance knows nothing of that: it expects every combination of values
that are valid one by one to be accepted. So a refusal is no failure where, and only where, one of these rules names
the reason; any other 400 to valid data stays a failure.

Besides, an address that is longer than gunicorn reads is refused by it with 414, which the document says. The checks
of valid and of invalid data do not know that status. A file of a release is described as bytes of any media type, and
where it is JSON the check of shapes takes it for no text. No other check is relaxed.
"""

from collections.abc import Mapping
from typing import Any

import schemathesis

RULES = (
    "not both",  # version and as_of
    "expected a day or a date and time",  # 2026-02-30
    "more than 40 filters",
    "characters, at most",  # the query string
    "was altered, or belongs to another query",  # a cursor that was made up
    "is not a filter of this resource",  # or=, of what is no field
    "given more than once",  # a filter in two conditions of where, or in one and by its name
    "relevance is that of the words",  # sort=relevance without q
    "there is no dataset",  # of search
    "and a numeric field",  # measure, of a field that it cannot be taken of
    "and a field whose values compare",
    "expected two values",  # between in two conditions of where, which are one list
    "is listed twice",  # sort=year,-year
    "is not a group or measure of this response",  # sort of an aggregate, by what it is not grouped by
    "is not a measure of this response",  # having, of what is not measured
    "values here: add filters",  # columns, of a field that has many
    "expected one field, by which",  # columns, of several fields or of one that is grouped by
    "expected one measure",  # of several, with columns
    "expected a measure, such as",  # with columns, where the schema does not say which value a cell has
    "and the name of a group",  # of a value that would be a column
    "expected at least one value",  # field__in=, of one empty text, is an empty list
    "expected a release before",  # since and until the wrong way round
    "rows of csv are flat",  # expand in formats without objects
    "rows of xlsx are flat",
    "rows of parquet are flat",
    "is not a field that can be used here",  # of any dataset, and where the names are too many for a pattern
)


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether a failure counts."""
    kind = type(failure).__name__
    if kind in ("RejectedPositiveData", "AcceptedNegativeData") and response.status_code == 414:
        return False
    if kind == "JsonSchemaError" and case.operation.path == "/releases/{version}/{path}":
        return False
    if kind != "RejectedPositiveData" or response.status_code != 400:
        return True
    errors = response.json().get("errors", [])
    return not errors or any(not _told(error, case.query or {}) for error in errors)


def _later(error: Mapping[str, str], query: Mapping[str, Any]) -> bool:
    """Whether a field is asked for that the release of an earlier version or day did not have."""
    return error.get("reason") == "unknown" and bool({"version", "as_of"} & query.keys())


def _told(error: dict[str, str], query: Mapping[str, Any]) -> bool:
    """Whether a rule names the reason, or the parameter stands within a condition (where=year__gte=x, or=…).

    What a condition may be follows from the field that it begins with, which a pattern cannot say.
    """
    told = error.get("parameter", "") not in {"", *query} or any(rule in error["reason"] for rule in RULES)
    return told or _later(error, query)
