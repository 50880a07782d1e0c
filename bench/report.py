"""What was measured, kept by section, and RESULTS.md written from all that is kept."""

import importlib.metadata
import json
import os
import platform
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from bench.environments import ENVIRONMENTS, versions
from bench.goals import GOALS
from bench.load import WRK
from bench.places import folder, results
from bench.rounds import number
from bench.sections import Found, Setup

OURS = ("Flask", "Werkzeug", "gunicorn", "SQLAlchemy", "marshmallow")


def keep(section: str, said: str, setup: Setup, found: Found, took: float) -> None:
    """Keep what a section found, in place of what it found before."""
    entry = {
        **asdict(found),
        "said": said,
        "setup": {**asdict(setup), "beside": str(setup.beside or "")},
        "took": took,
        "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "load": os.getloadavg()[0],
    }
    (folder("results", str(setup.rows)) / f"{section}.json").write_text(json.dumps(entry, indent=1))


def kept(order: Sequence[str], rows: int) -> dict[str, Any]:
    """All sections that were ever measured here with a table of so many rows."""
    paths = {name: folder("results", str(rows)) / f"{name}.json" for name in order}
    return {name: json.loads(path.read_bytes()) for name, path in paths.items() if path.exists()}


def write(order: Sequence[str], rows: int) -> None:
    """Write RESULTS.md."""
    sections = kept(order, rows)
    parts = [HEAD, "## Machine", _machine(), "## Goals", goals(sections), "## Each section"]
    for name, entry in sections.items():
        parts += [_section(name, entry)]
    results(rows).write_text("\n\n".join(parts) + "\n", encoding="utf-8")


HEAD = """# Results

Written by `python -m bench` (`make bench`); only ratios within one run are to be trusted. In each round every target is
asked once, in random order, over keep-alive connections on 127.0.0.1; a ratio is the median of the ratios of each
round, with the least and the most. Server CPU is user and system time of the server's whole process tree."""


def _machine() -> str:
    cpu = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "?")
    memory = next((int(line.split()[1]) / 2**20 for line in _lines("/proc/meminfo")), 0)
    ours = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in OURS)
    theirs = ", ".join(versions(name) for name in ENVIRONMENTS)
    return "\n".join(
        [
            f"- {os.cpu_count()} × {cpu}, {memory:.0f} GiB, {platform.system()} {platform.release()}",
            f"- Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {ours}",
            f"- {theirs}; {_nginx()}; load by {'wrk' if WRK else 'bench.client'}",
        ]
    )


def _lines(path: str) -> list[str]:
    try:
        with open(path) as file:
            return file.read().splitlines()
    except OSError:
        return []


def _nginx() -> str:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    return subprocess.run([program, "-v"], capture_output=True, text=True).stderr.strip() if program else "no nginx"


def goals(sections: dict[str, Any]) -> str:
    """The table of goals, one row each, with what was measured last."""
    measured = {entry["goal"]: (name, entry) for name, s in sections.items() for entry in s["measured"]}
    lines = ["| work | goal | measured: median (least to most) | reached? | notes |", "| --- | --- | --- | --- | --- |"]
    for key, goal in GOALS.items():
        if key not in measured:
            lines.append(f"| {goal.work} | {goal.text} | not measured | – | |")
            continue
        name, m = measured[key]
        spread = f" ({number(m['least'])} to {number(m['most'])})" if m["least"] != m["most"] else ""
        unit = "" if goal.unit == "×" else f" {goal.unit}"
        times = " ×" if goal.unit == "×" else ""
        reached = "yes" if goal.reached(m["value"]) else "**no**"
        rows = sections[name]["setup"]["rows"]
        note = m["note"].removeprefix("of medians ")
        note = note if times else note.partition("; ")[2]
        note = f"of medians {note}" if times else note
        note += f"; {rows:,} rows" if rows != 1_000_000 else ""
        lines.append(f"| {goal.work} | {goal.text} | {number(m['value'])}{times}{unit}{spread} | {reached} | {note} |")
    return "\n".join(lines)


def _section(name: str, entry: dict[str, Any]) -> str:
    setup = entry["setup"]
    parts = [f"### {name}", entry["said"]]
    parts.append(
        f"{entry['at']}, {setup['rows']:,} rows, {setup['rounds']} rounds of {setup['seconds']:g} s, "
        f"took {entry['took']:.0f} s, load average of the machine at the end {entry['load']:.1f}."
    )
    for title, header, lines in entry["tables"]:
        table = [f"| {' | '.join(header)} |", "|" + " --- |" * len(header)]
        table += [f"| {' | '.join(line)} |" for line in lines]
        parts += [f"**{title}**", "\n".join(table)]
    parts += [f"- not measured: {problem}" for problem in entry["problems"]]
    return "\n\n".join(parts)
