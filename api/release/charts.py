"""The charts that a package names in its property lantern:charts, drawn from the rows of the release.

A chart's entry holds its words, the resource, a filter and a Vega-Lite fragment without data. It becomes a whole
Vega-Lite document with the rows inside, an SVG with its alternative text, and a PNG. Drawing happens in a process of
its own with a fixed time zone and locale (draw.py): Vega asks for both, and a server never needs the library.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from textwrap import TextWrapper
from typing import Any

from api import settings
from api.index.survey import Survey, records
from api.model import filenames
from api.model.descriptor import Field, Package
from api.model.errors import LanternError
from api.model.published import CHARTS
from api.model.types import Kind, kind
from api.release import draw
from api.store import manifest

JSON = Any
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
WIDTH = 640
# Characters that fit into the width, by the size of their letters.
TITLE_LENGTH, SUBTITLE_LENGTH, SOURCE_LENGTH = 66, 98, 112
MOST_CHARTS = 100
NEEDED = ("name", "title", "resource", "spec")
# What the properties of a chart are.
SHAPES: Mapping[str, tuple[type, str]] = {
    **dict.fromkeys((*NEEDED[:3], "subtitle", "source", "alt"), (str, "a text")),
    **dict.fromkeys(("spec", "filter"), (dict, "an object")),
    "fields": (list, "a list of fields"),
    "indent": (int, "a whole number"),
}
# The look, as Vega-Lite has it. Its colours are distinct for colour-blind readers and in grey: Okabe and Ito's palette,
# the vermilion darker.
CONFIG: Mapping[str, JSON] = json.loads(Path(__file__).with_name("chart_config.json").read_bytes())
SOFT = CONFIG["axis"]["titleColor"]


class ChartError(LanternError):
    """A chart that cannot be drawn as the descriptor asks."""


def write(package: Package, surveys: Sequence[Survey], folder: Path) -> None:
    """Draw every chart of a package into charts/; a package without charts gets no such folder."""
    entries = package.descriptor.get(CHARTS) or []
    if not entries:
        return
    if not isinstance(entries, list):
        raise ChartError(f"{CHARTS} must be a list of charts")
    if len(entries) > MOST_CHARTS:
        raise ChartError(f"{CHARTS} has {len(entries):,} charts (expected: at most {MOST_CHARTS})")
    (folder / "charts").mkdir(exist_ok=True)
    drawings, names = {}, {}
    for entry in entries:
        chart = document(package, surveys, entry)
        path = str(folder / "charts" / filenames.stem(str(entry["name"])))
        Path(f"{path}.vl.json").write_text(manifest.dump(chart), encoding="utf-8", newline="\n")
        drawings[path], names[path] = chart, entry["name"]
    _draw(drawings, names)


def _draw(drawings: Mapping[str, JSON], names: Mapping[str, str]) -> None:
    """Have the charts drawn, each beside its path. Raises ChartError with the name of one that cannot be."""
    inherited = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment = {**inherited, "TZ": "UTC", "LC_ALL": "C.UTF-8", "LANG": "C.UTF-8"}
    seconds, memory = (settings.load()[name] for name in ("MAX_CHART_SECONDS", "MAX_CHART_MB"))
    command = [sys.executable, "-P", draw.__file__, str(seconds), str(memory * 2**20)]
    told = json.dumps(drawings).encode()
    done = subprocess.run(command, input=told, env=environment, capture_output=True, check=False)
    if not done.returncode:
        return
    begun = done.stdout.decode().splitlines()
    which = f"the chart {names[begun[-1]]}" if begun else "no chart"
    if done.returncode == -signal.SIGALRM:
        expected = settings.at_most("MAX_CHART_SECONDS", seconds, "seconds")
        reason = f"it takes too long (expected: {expected})"
    elif done.returncode < 0:
        reason = f"it takes too much memory (expected: {settings.at_most('MAX_CHART_MB', memory, 'MiB')})"
    else:
        reason = done.stderr.decode(errors="replace").strip()[-2_000:]
    raise ChartError(f"{which} {'cannot' if begun else 'can'} be drawn: {reason}")


def document(package: Package, surveys: Sequence[Survey], entry: Mapping[str, JSON]) -> dict[str, JSON]:
    """A chart as one whole Vega-Lite document.

    `indent` in the entry is the room that the chart's vertical axis takes: the words start left of it.
    """
    if not isinstance(entry, Mapping):
        raise ChartError(f"{CHARTS} has {entry!r:.100}, which is no chart: expected an object")
    missing = [key for key in NEEDED if not entry.get(key)]
    if missing:
        raise ChartError(f"the chart {entry.get('name') or '?'} lacks {', '.join(missing)}")
    for key, (shape, expected) in SHAPES.items():
        if not isinstance(entry.get(key, shape()), shape):
            raise ChartError(f"the chart {entry['name']} has {entry[key]!r:.100} as its {key}: expected {expected}")
    if found := draw.fault({"spec": entry["spec"]}):
        raise ChartError(f"the chart {entry['name']} cannot be drawn: {found}")
    survey = next((survey for survey in surveys if survey.table.name == entry["resource"]), None)
    if survey is None:
        raise ChartError(f"the chart {entry['name']} is of {entry['resource']}, which is not a table of the package")
    spec = dict(entry["spec"])
    indent = entry.get("indent", 0)
    if "vconcat" not in spec and "hconcat" not in spec and "facet" not in spec:
        spec = {"width": WIDTH - indent, **spec}
    # Under the chart stands whose figures these are, and which release of them.
    publisher = package.publisher or package.name
    source = f"Source: {entry.get('source') or publisher}\n{publisher}, {package.name} {package.version}"
    words = {"text": lines(source, SOURCE_LENGTH), "fontSize": 12, "color": SOFT, "lineHeight": 16}
    place = {"align": "left", "baseline": "top", "x": -indent, "y": 4}
    note = {"data": {"values": [{}]}, "width": WIDTH - indent, "height": 1, "mark": {"type": "text", **words, **place}}
    return {
        "$schema": SCHEMA,
        "description": str(entry.get("alt") or ""),
        "title": {
            "text": lines(str(entry["title"]), TITLE_LENGTH),
            "subtitle": lines(str(entry.get("subtitle") or ""), SUBTITLE_LENGTH),
            "dx": -indent,
        },
        "data": {"name": "rows", "values": rows(survey, entry)},
        "config": CONFIG,
        "vconcat": [spec, note],
        "spacing": 18,
    }


def lines(text: str, width: int) -> list[str]:
    """Text broken at spaces; a line break in it stays."""
    wrapper = TextWrapper(width, break_long_words=False, break_on_hyphens=False)
    return [line for part in text.split("\n") for line in wrapper.wrap(" ".join(part.split())) or [""]]


def rows(survey: Survey, entry: Mapping[str, JSON]) -> list[dict[str, JSON]]:
    """The rows that pass the chart's filter, with the fields that it names (`fields`; all where it names none)."""
    table = survey.table
    filters = entry.get("filter") or {}
    fields = entry.get("fields") or [*table.index]
    for name in (*filters, *fields):
        if name not in table.index:
            raise ChartError(f"the chart {entry['name']} asks for {name}, which {table.name} does not have")
    tests = [(table.index[name], _test(table.field(name), filters[name], entry["name"])) for name in filters]
    columns = [(name, table.index[name], survey.columns[table.index[name]].kind) for name in fields]
    shown, most = [], settings.load()["MAX_CHART_ROWS"]
    for row in records(survey, [column.kind.read for column in survey.columns]):
        if all(test(row[place]) for place, test in tests):
            shown.append({name: _json(kind, row[place]) for name, place, kind in columns})
            if len(shown) > most:
                expected = settings.at_most("MAX_CHART_ROWS", most, "rows")
                raise ChartError(
                    f"the chart {entry['name']} has {len(shown):,} rows or more: filter them (expected: {expected})"
                )
    return shown


def _test(field: Field, condition: JSON, chart: str) -> Callable[[JSON], bool]:
    """A filter as a test of a cell: one value, {"in": […]}, or {"from": …, "to": …}; null is a value too."""
    read = kind(field).read

    def value(literal: JSON) -> JSON:
        if literal is None:
            return None
        try:
            return read(("true" if literal else "false") if isinstance(literal, bool) else str(literal))
        except (ValueError, ArithmeticError):
            message = f"the chart {chart} asks for {field.name} {literal!r:.100}, which is no {field.type}"
            raise ChartError(message) from None

    if not isinstance(condition, Mapping):
        condition = {"in": [condition]}
    if not isinstance(condition.get("in", []), list):
        raise ChartError(f"the chart {chart} asks for {field.name} {condition['in']!r:.100}: expected a list")
    if "in" in condition:
        allowed = [value(literal) for literal in condition["in"]]
        return lambda cell: cell in allowed
    low, high = value(condition.get("from")), value(condition.get("to"))
    return lambda cell: cell is not None and (low is None or cell >= low) and (high is None or cell <= high)


def _json(kind: Kind, value: JSON) -> JSON:
    if value is None:
        return None
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return json.loads(kind.json(value))
