"""The general mix: questions of every shape, none asked twice."""

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench import servers, stores
from bench.client import Asked, by_turns
from bench.mix import SHAPES, Dice, Place, Question, datasette, drawn, lantern, plain, read, same, same_rows
from bench.places import folder
from bench.processes import Running, fetch, serving
from bench.questions import RECORDS
from bench.rounds import Ratio, number, ratio
from bench.sections import Found, Setup, peers

SIZES = (2_000, 100_000)
CHECKED, WARM, QUESTIONS = 3, 5, 300
PLACES = 1100  # so that no walk goes in steps of 100 rows, the size of the pages that are asked later
ORDERS = {"": "", "-day": "&sort=-day"}
HEADER = (
    "shape",
    "lantern req/s",
    "p50 ms",
    "p99 ms",
    "datasette req/s",
    "× datasette",
    "plain Flask req/s",
    "× plain Flask",
)
BESIDE = ("beside req/s", "its p99 ms", "its × datasette", "lantern × beside")


@dataclass
class Measuring:
    """Of one shape: the addresses for each server, round by round, and the seconds of each answer."""

    paths: dict[str, list[list[str]]]
    times: dict[str, list[list[float]]] = field(default_factory=dict)

    def rate(self, name: str) -> list[float]:
        return [len(times) / sum(times) for times in self.times.get(name, ())]

    def percentile(self, name: str, part: float) -> float:
        """Milliseconds, over all rounds."""
        times = sorted(time for some in self.times[name] for time in some)
        return times[int(len(times) * part)] * 1e3 if times else math.nan

    def ratio(self, above: str, below: str) -> Ratio | None:
        over, under = self.rate(above), self.rate(below)
        return ratio(over, under) if over and len(over) == len(under) else None


def run(setup: Setup) -> Found:
    """Questions of every shape of bench/mix.py over one connection: pages of 70 to 130 rows, so that none comes twice.

    Lantern is `lantern serve` with one worker, cache on. Its pages also count all rows under their filters; Datasette's
    do not (`_nocount`). Datasette 0.65 has the same rows in an SQLite file with the same indexes declared (each field,
    each pair of country, category and year; full text) and is asked by its tables' own API, or the same SQL where that
    cannot say the question. Plain Flask runs the SQL of page and count on the engine's own files, on the same
    gunicorn. Each round asks every shape of all servers by turns, the same questions; ratios are of requests a second,
    p50 and p99 of all rounds. Distinct counts are asked as facets of a field with a
    value for each row (`count_distinct` is no measure yet). Before, three questions of each shape are compared: the
    servers must say the same.
    """
    found = Found()
    for rows in [*(size for size in SIZES if size < setup.rows), setup.rows]:
        _measure(setup, found, rows)
    return found


def _measure(setup: Setup, found: Found, rows: int) -> None:
    lanterns = [servers.serve(rows, workers=1)]
    if setup.beside:
        lanterns.append(servers.serve(rows, setup.beside.resolve(), "beside", workers=1))
    with serving(lanterns) as (running, problems):
        found.failed(problems)
        if "lantern" not in running:
            return
        dice = Dice(rows, {order: _places(running, rows, order) for order in ORDERS})
        many = CHECKED + WARM + QUESTIONS * setup.rounds
        questions = {name: drawn(shape, dice, many) for name, shape in SHAPES.items()}
        asked = folder("asked") / f"{rows}.json"
        ask = _askers(running, questions, rows, asked)
        others = peers(
            found, [partial(servers.datasette, rows, stores.SAME_INDEXES), partial(servers.plain, rows, asked)]
        )
        with serving(others) as (more, problems):
            found.failed(problems)
            running = {**running, **more}
            for name, some in questions.items():
                found.problems += _differences(running, ask, f"{rows:,} rows, {name}", some[:CHECKED])
            shapes = {name: _shape(running, ask, some, setup.rounds) for name, some in questions.items()}
            _rounds(setup, running, shapes, found)
    _report(found, rows, shapes, setup)


def _places(running: Mapping[str, Running], rows: int, order: str) -> list[Place]:
    """Rows all over the table but for its first tenth, with each Lantern's link to the page after: walked by cursor."""
    step = max(rows // PLACES, 1)
    walks: dict[str, list[tuple[dict[str, Any], str]]] = {name: [] for name in running}
    for name in running:
        path = f"{RECORDS}?limit={step}{ORDERS[order]}"
        while path:
            status, _, body = fetch(running[name].port, path)
            if status != 200:
                raise RuntimeError(f"{path} answers {status}: {body[:200]!r}")
            found = json.loads(body)
            path = found["links"]["next"]
            if path:
                walks[name].append((found["data"][-1], path.replace(f"limit={step}", "limit=100")))
    first = next(iter(walks.values()))
    places = [
        Place(row, order, {name: walk[at][1] for name, walk in walks.items()}) for at, (row, _) in enumerate(first)
    ]
    return places[len(places) // 10 :]


def _askers(
    running: Mapping[str, Running], questions: Mapping[str, Sequence[Question]], rows: int, asked: Path
) -> dict[str, Callable[[Question], str]]:
    """How each server is asked; the forms that the plain view is asked are written to a file."""
    forms: dict[str, int] = {}

    def form(question: Question) -> str:
        said, bound = plain(question, rows)
        at = forms.setdefault(json.dumps(said), len(forms))
        return f"/{at}?limit={question.limit}&v={quote(json.dumps(bound))}"

    for some in questions.values():
        for question in some:
            form(question)
    asked.write_text(f"[{','.join(forms)}]")
    return {
        "lantern": lantern,
        "beside": lambda question: lantern(question, "beside"),
        "datasette": datasette,
        "plain": form,
    }


def _differences(
    running: Mapping[str, Running],
    ask: Mapping[str, Callable[[Question], str]],
    shape: str,
    questions: Sequence[Question],
) -> list[str]:
    """Where servers do not say the same as Lantern, and where its count of rows is another than Datasette's."""
    problems = []
    for question in questions:
        answers = {}
        for name, server in running.items():
            status, _, body = fetch(server.port, ask[name](question))
            if status != 200:
                problems.append(f"{shape}: {name} answers {status} to {ask[name](question)}: {body[:200]!r}")
                continue
            answers[name] = read(question, body)
            if name == "lantern" and question.kind == "page" and "datasette" in running:
                total, theirs = json.loads(body)["meta"]["total"], _count(running["datasette"], question)
                if total != theirs:
                    problems.append(f"{shape}: lantern counts {total} rows, datasette {theirs}: {lantern(question)}")
        ours = answers.pop("lantern", None)
        for name, theirs in answers.items():
            agree = same_rows(question, ours, theirs) if question.kind == "page" else same(ours, theirs)
            if not agree:
                problems.append(f"{shape}: {name} says something else: {lantern(question)} and {ask[name](question)}")
    return problems


def _count(server: Running, question: Question) -> int:
    """The rows under a question's filters."""
    counting = replace(question, sort=(), after=None, by=(), measures=("count",))
    return int(read(counting, fetch(server.port, datasette(counting))[2])[0]["count"])


def _shape(
    running: Mapping[str, Running],
    ask: Mapping[str, Callable[[Question], str]],
    questions: Sequence[Question],
    rounds: int,
) -> Measuring:
    """The addresses; of the questions, those compared are asked no more, and WARM of the others before the rounds."""
    rest = questions[CHECKED:]
    warm, rest = rest[:WARM], rest[WARM:]
    each = max(len(rest) // rounds, 1)
    parts = [warm, *(rest[at * each : (at + 1) * each] for at in range(rounds))]
    return Measuring({name: [[ask[name](question) for question in part] for part in parts] for name in running})


def _rounds(setup: Setup, running: Mapping[str, Running], shapes: Mapping[str, Measuring], found: Found) -> None:
    for turn in range(setup.rounds + 1):
        for shape, measuring in shapes.items():
            asked = {name: Asked(running[name].port, parts[turn]) for name, parts in measuring.paths.items()}
            by_turns(list(asked.values()), setup.seconds / 2)
            for name, one in asked.items():
                if one.error:
                    found.problems.append(f"{shape}: {name}: {one.error}")
                    del measuring.paths[name]
                    measuring.times.pop(name, None)
                elif turn:
                    measuring.times.setdefault(name, []).append(one.times)


def _report(found: Found, rows: int, shapes: Mapping[str, Measuring], setup: Setup) -> None:
    lines = []
    for shape, measuring in shapes.items():
        line = [shape, *_own(measuring, "lantern"), _rate(measuring, "datasette")]
        line += [_said(measuring.ratio("lantern", "datasette")), _rate(measuring, "plain")]
        line += [_said(measuring.ratio("lantern", "plain"))]
        if setup.beside:
            rate, _, p99 = _own(measuring, "beside")
            line += [
                rate,
                p99,
                _said(measuring.ratio("beside", "datasette")),
                _said(measuring.ratio("lantern", "beside")),
            ]
        lines.append(line)
    found.tables.append((f"The mix over {rows:,} rows", HEADER + (BESIDE if setup.beside else ()), lines))
    means = [
        [name, *_mean(shapes, name, "datasette")]
        for name in ("lantern", "beside", "plain")
        if name != "beside" or setup.beside
    ]
    found.tables.append((f"Of all shapes over {rows:,} rows, × Datasette", ("", "geometric mean", "the worst"), means))
    for prefix, size in (("mix", setup.rows), ("small", SIZES[0])):
        if rows == size:
            _goals(found, prefix, shapes)


def _goals(found: Found, prefix: str, shapes: Mapping[str, Measuring]) -> None:
    """The goals of one size, of those shapes that every server answered."""
    for goal, below in (("", "datasette"), ("-plain", "plain")):
        ratios = {shape: value for shape, m in shapes.items() if (value := m.ratio("lantern", below))}
        if not ratios:
            continue
        worst = sorted(ratios, key=lambda shape: ratios[shape].median)
        if not goal:
            found.goal(f"{prefix}-mean", _geometric(list(ratios.values())), f"{len(ratios)} shapes")
        note = "; ".join(f"{shape} {number(ratios[shape].median)}" for shape in worst[:5])
        found.goal(f"{prefix}{goal}-least", ratios[worst[0]], note)
    if prefix != "mix":
        return
    for goal, unique in (("mix-p99", False), ("mix-p99-unique", True)):
        slow = {
            shape: m.percentile("lantern", 0.99)
            for shape, m in shapes.items()
            if SHAPES[shape].unique == unique
            if m.times.get("lantern")
        }
        worst = sorted(slow, key=slow.__getitem__, reverse=True)
        note = "; ".join(f"{shape} {number(slow[shape])}" for shape in worst[:5])
        found.goal(goal, ratio([slow[worst[0]]], [1.0]), note)


def _geometric(ratios: Sequence[Ratio]) -> Ratio:
    return Ratio(*(statistics.geometric_mean([getattr(one, part) for one in ratios]) for part in Ratio.__annotations__))


def _mean(shapes: Mapping[str, Measuring], above: str, below: str) -> list[str]:
    ratios = {shape: value for shape, m in shapes.items() if (value := m.ratio(above, below))}
    if not ratios:
        return ["–", "–"]
    worst = sorted(ratios, key=lambda shape: ratios[shape].median)[:5]
    return [
        str(_geometric(list(ratios.values()))),
        "; ".join(f"{shape} {number(ratios[shape].median)}" for shape in worst),
    ]


def _own(measuring: Measuring, name: str) -> list[str]:
    if name not in measuring.times:
        return ["–"] * 3
    return [_rate(measuring, name), *(number(measuring.percentile(name, part)) for part in (0.5, 0.99))]


def _rate(measuring: Measuring, name: str) -> str:
    rates = measuring.rate(name)
    return number(statistics.median(rates)) if rates else "–"


def _said(value: Ratio | None) -> str:
    return str(value) if value else "–"
