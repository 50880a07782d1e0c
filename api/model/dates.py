"""When a package was made: its property `created`, a time as RFC 3339 has it, or a day."""

import re
from datetime import UTC, datetime
from typing import Any

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def moment(created: Any) -> datetime | None:
    """A time of ISO 8601 in UTC; of a day its beginning; None for anything else, and outside the years 1 to 9999."""
    try:
        made = datetime.fromisoformat(str(created))
        return made.replace(tzinfo=UTC) if made.tzinfo is None else made.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def utc(made: datetime) -> str:
    """A moment in UTC as responses have it, in whole seconds."""
    return made.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def is_time(created: Any) -> bool:
    """Whether it is written as the standard asks of `created`."""
    return _TIME.fullmatch(str(created)) is not None and moment(created) is not None


def stated(created: Any) -> str:
    """The day or time that is meant, as RFC 3339 writes it; empty where it is neither."""
    made = moment(created)
    if made is None:
        return ""
    return str(created) if is_time(created) or _DAY.fullmatch(str(created)) else utc(made)
