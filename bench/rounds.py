"""Rounds: every target once a round, in random order, so that the machine's noise meets all of them alike."""

import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.load import Sample, Target, ask
from bench.processes import Running, fetch

WARM = 3.0
HEADER = ("asked", "req/s median", "best", "p50 ms", "p99 ms", "server CPU µs/req median (best)", "notes")


@dataclass(frozen=True)
class Ratio:
    """Of two targets: the median of the ratios of each round, the ratio of their medians, the least and the most."""

    median: float
    of_medians: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{number(self.median)} ({number(self.least)} to {number(self.most)})"


def number(value: float) -> str:
    """Three digits that count."""
    if value != value:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def ratio(above: Sequence[float], below: Sequence[float]) -> Ratio:
    """The ratio of two series measured in the same rounds."""
    each = [a / b if b else float("nan") for a, b in zip(above, below, strict=True)]
    medians = statistics.median(above) / (statistics.median(below) or float("nan"))
    return Ratio(statistics.median(each), medians, min(each), max(each))


class Rounds:
    """What was measured of some targets."""

    def __init__(self, targets: Sequence[Target], running: Mapping[str, Running]) -> None:
        self.running = running
        self.notes: dict[str, str] = {}
        self.targets = [target for target in targets if target.server in running and self._good(target)]
        self.samples: dict[str, list[Sample]] = {target.name: [] for target in self.targets}

    def _good(self, target: Target) -> bool:
        """Whether the target answers as expected; one that does not is left out and said so."""
        try:
            status, _, body = fetch(self.running[target.server].port, target.paths[0], target.headers)
        except OSError as error:
            status, body = 0, str(error).encode()
        self.notes[target.name] = f"{len(body):,} bytes"
        if status == target.expected:
            return True
        print(f"  ! {target.name}: {status} instead of {target.expected}: {body[:200]!r}", flush=True)
        self.notes[target.name] = f"left out: answers {status}"
        return False

    def run(self, rounds: int, seconds: float) -> "Rounds":
        """Measure; after a run each that does not count, in which the servers map the files that they read."""
        order = list(self.targets)
        for target in order:
            ask(target, self.running[target.server], WARM)
        for _ in range(rounds):
            random.shuffle(order)
            for target in order:
                self.samples[target.name].append(ask(target, self.running[target.server], seconds))
        return self

    def has(self, *names: str) -> bool:
        return all(self.samples.get(name) for name in names)

    def rates(self, above: str, below: str) -> Ratio:
        """How many times the requests a second of another target."""
        return ratio([s.rate for s in self.samples[above]], [s.rate for s in self.samples[below]])

    def cpu(self, above: str, below: str) -> Ratio:
        """How many times the requests for the same CPU of the server, which the machine's noise moves least."""
        return ratio([s.cpu for s in self.samples[below]], [s.cpu for s in self.samples[above]])

    def p99(self, name: str) -> Ratio:
        """The p99 in milliseconds with its spread, as a ratio to one."""
        return ratio([s.p99 for s in self.samples[name]], [1.0] * len(self.samples[name]))

    def table(self) -> list[list[str]]:
        """A line for each target, under HEADER."""
        lines = []
        for target in self.targets:
            found = self.samples[target.name]
            rates, cpu = [s.rate for s in found], [s.cpu for s in found]
            notes = self.notes[target.name]
            errors = sum(s.errors for s in found)
            notes += f", {errors} ERRORS" if errors else ""
            notes += ", questions asked again" if target.wrapped else ""
            middle = [statistics.median(values) for values in (rates, [s.p50 for s in found], [s.p99 for s in found])]
            lines.append(
                [
                    target.name,
                    number(middle[0]),
                    number(max(rates)),
                    number(middle[1]),
                    number(middle[2]),
                    f"{number(statistics.median(cpu))} ({number(min(cpu))})",
                    notes,
                ]
            )
        return lines + [[name, *["–"] * 5, note] for name, note in self.notes.items() if "left out" in note]
