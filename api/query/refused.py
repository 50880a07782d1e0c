"""Queries that are refused: the error, and what is said of each parameter."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from api.model.errors import LanternError
from api.query import hints
from api.query.ways import Address

UNKNOWN_NAMED = 10  # unknown parameters of one request that a problem names
Errors = list[dict[str, Any]]
At = Callable[[], Address]


class QueryError(LanternError):
    """A query with invalid parameters; `errors` names each with the reason, for a problem document of type `kind`.

    They are put together where somebody wants to read them: to find what would work, hints try queries of their own.
    """

    def __init__(self, kind: str, detail: str, errors: Errors | Callable[[], Errors]) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self._errors = errors

    @cached_property
    def errors(self) -> Errors:
        return self._errors() if callable(self._errors) else self._errors


class UnknownNames(LanternError):
    """Names that are no parameters."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(", ".join(names))
        self.names = names


def entry(parameter: str, reason: str, **more: Any) -> dict[str, Any]:
    """What `errors` says of one parameter."""
    return {"parameter": parameter, "reason": reason, **{k: v for k, v in more.items() if v is not None}}


def wrong(parameter: str, detail: str, **more: Any) -> QueryError:
    """A QueryError about the value of one parameter."""
    return QueryError("invalid-parameter", f"{parameter}: {detail}", [entry(parameter, detail, **more)])


def unknown(names: Sequence[str], at: At, rest: Callable[[], object]) -> QueryError:
    """The error of unknown names; it tells of wrong values among the `rest` of the parameters too."""

    def errors() -> Errors:
        address = at()
        found = [
            entry(name[:100], **{"reason": "unknown", **hints.unknown(address, name)}) for name in names[:UNKNOWN_NAMED]
        ]
        try:
            rest()
        except QueryError as error:
            found += error.errors
        return found

    return QueryError("unknown-parameter", f"{names[0][:100]!r} is not a parameter of this resource.", errors)


def invalid(messages_of: Mapping[str, Any], at: At) -> QueryError:
    """The error of values that were refused, with marshmallow's messages by parameter."""
    found = []
    for name, messages in messages_of.items():
        if isinstance(messages, dict):
            found.append((name, messages["reason"][0], messages.get("did_you_mean")))
        else:
            found.extend((name, hints.reason(name, str(message).rstrip(".")), None) for message in messages)

    def errors() -> Errors:
        address = at()
        return [
            entry(name, reason, **{"did_you_mean": near, **hints.wrong(address, name, reason, near)})
            for name, reason, near in found
        ]

    name, reason, _ = found[0]
    return QueryError("invalid-parameter", f"{name}: {reason}", errors)


def no_condition(parameter: str, text: str, at: At) -> QueryError:
    """The error of a text that should be a condition."""
    reason = f"expected field=value or field__operator=value, found {text[:60]!r}; one condition each time"
    return QueryError(
        "invalid-parameter",
        f"{parameter}: {reason}",
        lambda: [entry(parameter, reason, **hints.no_condition(at(), parameter, text))],
    )
