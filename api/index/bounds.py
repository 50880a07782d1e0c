"""What a request may take of the server: so much time, and a turn where it is costly.

Both stand in context variables, not in arguments: everything between a request and an engine would only hand them on.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from api.model.errors import LanternError

AT_ONCE = 2  # costly requests that a process works on: more would only be slower, and leave others less
WAIT = 1.0  # seconds that a costly request waits for its turn, holding a thread
_until: ContextVar[float] = ContextVar("until", default=math.inf)
_turn: ContextVar["Turn | None"] = ContextVar("turn", default=None)


class TooSlow(LanternError):
    """A question that takes longer, or more memory, than the server allows."""


class Busy(LanternError):
    """A costly question that did not get its turn, because of other costly ones."""

    def __init__(self) -> None:
        super().__init__("The server answers other costly requests.")


class Turns:
    """Whose turn it is in a process with so many threads, of which a quarter is left to what is not costly."""

    def __init__(self, threads: int) -> None:
        most = max(1, threads - max(1, threads // 4))
        self.here, self.working = threading.BoundedSemaphore(most), threading.BoundedSemaphore(min(AT_ONCE, most))


class Turn:
    """The turn of one request, which it takes once, if it is costly."""

    def __init__(self, turns: Turns) -> None:
        self.turns, self.taken = turns, False

    def take(self) -> None:
        """Raises Busy where too many wait, or it is not our turn soon."""
        if self.taken:
            return
        if not self.turns.here.acquire(blocking=False):
            raise Busy
        if not self.turns.working.acquire(timeout=min(seconds_left(), WAIT)):
            self.turns.here.release()
            raise Busy
        self.taken = True

    def end(self) -> None:
        if self.taken:
            self.taken = False
            self.turns.working.release()
            self.turns.here.release()


def begin(seconds: float, turns: Turns | None = None) -> None:
    """From now on what runs in this context has so many seconds in all (0: any number of them), and one turn."""
    _until.set(time.monotonic() + seconds if seconds else math.inf)
    _turn.set(None if turns is None else Turn(turns))


def end() -> None:
    """What began is over; the turn too, unless it was `kept`."""
    kept()()
    _until.set(math.inf)


def kept() -> Callable[[], None]:
    """What ends the turn of this context, which outlasts it now."""
    turn = _turn.get()
    _turn.set(None)
    return turn.end if turn else lambda: None


def costly() -> None:
    """Wait for the turn of this request. Called before what may take long: raises Busy, or TooSlow."""
    if turn := _turn.get():
        turn.take()


def seconds_left() -> float:
    """Raises TooSlow where there are none."""
    seconds = _until.get() - time.monotonic()
    if seconds <= 0:
        raise TooSlow("The query exceeded the server's time limit.")
    return seconds


@contextmanager
def interrupted(interrupt: Callable[[], None]) -> Iterator[None]:
    """Call `interrupt`, from another thread, when the time is over; it is not called after the end of the block."""
    clock = threading.Timer(min(seconds_left(), threading.TIMEOUT_MAX), interrupt)
    clock.daemon = True
    clock.start()
    try:
        yield
    finally:
        clock.cancel()
        clock.join()
