"""The benchmarks: `python -m bench`, short; `--full` with more rounds, worker classes and ten million rows."""

import argparse
import importlib
import inspect
import signal
import sys
import time
import traceback
from pathlib import Path

from bench import report
from bench.sections import Found, Setup

SHORT = ("mix", "pages", "never", "depth", "convoy", "downloads", "start", "build")
FULL = (*SHORT, "growth", "workers")


def main() -> int:
    """Run sections one after another; one that fails is reported and does not stop the others."""
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    setup = Setup(given.rows, given.rounds or (11 if given.full else 5), given.seconds, given.large, given.beside)
    failed = False
    for name in given.only or (FULL if given.full else SHORT):
        section = importlib.import_module(f"bench.sections.{name}")
        print(f"{name}: {section.__doc__}", flush=True)
        start = time.perf_counter()
        try:
            found = section.run(setup)
        except Exception as error:
            traceback.print_exc()
            found = Found(problems=[f"{type(error).__name__}: {error}"])
        failed = failed or not found.measured and name != "workers"
        took = time.perf_counter() - start
        report.keep(name, inspect.cleandoc(section.run.__doc__), setup, found, took)
        _show(found, took)
        report.write(FULL, setup.rows)
    print(report.goals(report.kept(FULL, setup.rows)))
    return int(failed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all sections, more rounds, up to ten million rows")
    parser.add_argument("--only", nargs="+", choices=FULL, metavar="SECTION", help=", ".join(FULL))
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the table (default 1,000,000)")
    parser.add_argument("--large", type=int, default=10_000_000, help="rows of the large table of growth")
    parser.add_argument("--rounds", type=int, help="rounds (default 5, with --full 11)")
    parser.add_argument("--seconds", type=float, default=1, help="seconds a target and round (default 1)")
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="another Lantern that is asked the mix too")
    return parser.parse_args()


def _show(found: Found, took: float) -> None:
    for title, header, lines in found.tables:
        widths = [max(len(str(line[i])) for line in [header, *lines]) for i in range(len(header))]
        print(f"  {title}")
        for line in [header, *lines]:
            print(
                "    " + "  ".join(str(cell).ljust(width) for cell, width in zip(line, widths, strict=False)).rstrip()
            )
    for problem in found.problems:
        print(f"  ! {problem}")
    for m in found.measured:
        print(f"  {m.goal}: {report.number(m.value)} ({report.number(m.least)} to {report.number(m.most)}) {m.note}")
    print(f"  {took:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
