"""The measurements: each module has `run`, which says in its docstring what exactly is compared."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.environments import InstallError
from bench.goals import Measured
from bench.processes import Server
from bench.rounds import HEADER, Ratio, Rounds


@dataclass(frozen=True)
class Setup:
    """How much is measured: rows of the table, rounds, seconds a target and round, rows of the large table.

    `beside`: another checkout of Lantern, asked the same mix.
    """

    rows: int
    rounds: int
    seconds: float
    large: int
    beside: Path | None = None


@dataclass
class Found:
    """What a section found: values for goals, tables for the report, what could not be measured and why."""

    measured: list[Measured] = field(default_factory=list)
    tables: list[tuple[str, Sequence[str], list[list[str]]]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def goal(self, goal: str, value: Ratio, note: str = "") -> None:
        """Judge a ratio by the median of its rounds."""
        said = f"of medians {value.of_medians:.3g}" + (f"; {note}" if note else "")
        self.measured.append(Measured(goal, value.median, value.least, value.most, said))

    def rates(
        self, rounds: Rounds, goals: Iterable[tuple[str, str, str]], limits: Mapping[str, tuple[str, str]] | None = None
    ) -> None:
        """Judge ratios of requests a second: goal, target above, target below.

        `limits` names two other targets whose ratio is the most, or nearly the most, that the server allows.
        """
        for goal, above, below in goals:
            if rounds.has(above, below):
                said = f"by server CPU {rounds.cpu(above, below).median:.3g}"
                best, than = (limits or {}).get(goal, ("", ""))
                if rounds.has(best, than):
                    said += f"; for scale, {best} to {than}: {rounds.rates(best, than)}"
                self.goal(goal, rounds.rates(above, below), said)
            else:
                self.problems.append(f"{goal}: {above} or {below} gave no answers")

    def rounds(self, title: str, rounds: Rounds) -> None:
        self.tables.append((title, HEADER, rounds.table()))

    def failed(self, problems: dict[str, str]) -> None:
        self.problems += [f"{name} did not start: {reason}" for name, reason in problems.items()]


def peers(found: Found, makers: Iterable[Callable[[], Server]]) -> list[Server]:
    """The peers whose environment could be made; the others become problems."""
    servers = []
    for maker in makers:
        try:
            servers.append(maker())
        except (InstallError, OSError) as error:
            found.problems.append(f"not installed: {error}")
    return servers
