"""What schemathesis has to be told: the rules that the document can only say in words.

OpenAPI 3.0 describes each parameter by itself. Here some exclude each other, a cursor must come from an answer, and a
question has a size. The check positive_data_acceptance knows nothing of that: it expects every combination of values
that are valid one by one to be accepted. So a refusal is no failure where, and only where, one of these rules names
the reason; any other 400 to valid data stays a failure.

Besides, an address that is longer than gunicorn reads is refused by it with 414, which the document says. The checks
of valid and of invalid data do not know that status. No other check is relaxed.
"""

from typing import Any

import schemathesis

RULES = (
    "not both",  # version and as_of
    "more than 40 filters",
    "characters, at most",  # the query string
    "was altered, or belongs to another query",  # a cursor that was made up
    "given more than once",  # a filter in two conditions of where, or in one and by its name
    "expected two values",  # between in two conditions of where, which are one list
    "is listed twice",  # sort=year,-year
    "is not a group or measure of this response",  # sort of an aggregate, by what it is not grouped by
    "expected at least one value",  # field__in=, of one empty text, is an empty list
    "expected a release before",  # since and until the wrong way round
    "rows of csv are flat",  # expand in formats without objects
    "rows of xlsx are flat",
    "rows of parquet are flat",
)


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether a failure counts."""
    kind = type(failure).__name__
    if kind in ("RejectedPositiveData", "AcceptedNegativeData") and response.status_code == 414:
        return False
    if kind != "RejectedPositiveData" or response.status_code != 400:
        return True
    reasons = [error["reason"] for error in response.json().get("errors", [])]
    return not reasons or any(not any(rule in reason for rule in RULES) for reason in reasons)
