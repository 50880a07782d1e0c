"""The charts that a package names in its property lantern:charts, drawn from the rows of the release.

A chart's entry holds its words, the resource, a filter and a Vega-Lite fragment without data. It becomes a whole
Vega-Lite document with the rows inside, an SVG with its alternative text, and a PNG. Drawing happens in a process of
its own with a fixed time zone and locale (draw.py): Vega asks for both, and a server never needs the library.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from textwrap import TextWrapper
from typing import Any

from api.index.survey import Survey, records
from api.model import filenames
from api.model.descriptor import Field, Package
from api.model.errors import LanternError
from api.model.published import CHARTS
from api.model.types import Kind, kind
from api.store import manifest

JSON = Any
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
WIDTH = 640
# Characters that fit into the width, by the size of their letters.
TITLE_LENGTH, SUBTITLE_LENGTH, SOURCE_LENGTH = 66, 98, 112
MOST_ROWS = 5_000
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
    (folder / "charts").mkdir(exist_ok=True)
    drawings = {}
    for entry in entries:
        chart = document(package, surveys, entry)
        path = folder / "charts" / filenames.stem(str(entry["name"]))
        Path(f"{path}.vl.json").write_text(manifest.dump(chart), encoding="utf-8", newline="\n")
        drawings[str(path)] = chart
    environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8", "LANG": "C.UTF-8"}
    command = [sys.executable, str(Path(__file__).with_name("draw.py"))]
    told = json.dumps(drawings).encode()
    done = subprocess.run(command, input=told, env=environment, capture_output=True, check=False)
    if done.returncode:
        raise ChartError("the charts cannot be drawn: " + done.stderr.decode(errors="replace").strip()[-2_000:])


def document(package: Package, surveys: Sequence[Survey], entry: Mapping[str, JSON]) -> dict[str, JSON]:
    """A chart as one whole Vega-Lite document.

    `indent` in the entry is the room that the chart's vertical axis takes: the words start left of it.
    """
    missing = [key for key in ("name", "title", "resource", "spec") if not entry.get(key)]
    if missing:
        raise ChartError(f"the chart {entry.get('name') or '?'} lacks {', '.join(missing)}")
    survey = next((survey for survey in surveys if survey.table.name == entry["resource"]), None)
    if survey is None:
        raise ChartError(f"the chart {entry['name']} is of {entry['resource']}, which is not a table of the package")
    spec = dict(entry["spec"])
    indent = int(entry.get("indent") or 0)
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
    tests = [(table.index[name], _test(table.field(name), condition)) for name, condition in filters.items()]
    columns = [(name, table.index[name], survey.columns[table.index[name]].kind) for name in fields]
    shown = []
    for row in records(survey, [column.kind.read for column in survey.columns]):
        if all(test(row[place]) for place, test in tests):
            shown.append({name: _json(kind, row[place]) for name, place, kind in columns})
            if len(shown) > MOST_ROWS:
                raise ChartError(f"the chart {entry['name']} has more than {MOST_ROWS:,} rows: filter them")
    return shown


def _test(field: Field, condition: JSON) -> Callable[[JSON], bool]:
    """A filter as a test of a cell: one value, {"in": […]}, or {"from": …, "to": …}; null is a value too."""
    read = kind(field).read

    def value(literal: JSON) -> JSON:
        if literal is None:
            return None
        return read(("true" if literal else "false") if isinstance(literal, bool) else str(literal))

    if not isinstance(condition, Mapping):
        condition = {"in": [condition]}
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
