"""The time by which a request's response must start: set once a request, minded by every engine that works for it.

A context variable, not an argument: everything between the request and an engine would only hand it on.
"""

import math
import time
from contextvars import ContextVar

from api.model.errors import LanternError

_until: ContextVar[float] = ContextVar("until", default=math.inf)


class TooSlow(LanternError):
    """A question that takes longer, or more memory, than the server allows."""


def start(seconds: float) -> None:
    """From now on what runs in this context has so many seconds (0: any number of them)."""
    _until.set(time.monotonic() + seconds if seconds else math.inf)


def stop() -> None:
    """What runs in this context has any time again."""
    _until.set(math.inf)


def left() -> float:
    """The seconds that are left. Raises TooSlow where there are none."""
    seconds = _until.get() - time.monotonic()
    if seconds <= 0:
        raise TooSlow("The query exceeded the server's time limit.")
    return seconds
