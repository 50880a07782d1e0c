"""Programs that read tables take every format by the call that their users would write first."""

import io
import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import packages
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet
import pytest
import requests
import running

NAMES = ("id", "el texto, señor", "Wert (€)")
ROWS = [(1, 'a "b", c\td\ne', 0.5), (2, "=7", -2.0), (3, "日本 😀", 1e6)]
Rows = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of three rows that have in them what readers stumble over."""
    folder = tmp_path_factory.mktemp("readers")
    fields = [name + kind for name, kind in zip(NAMES, (":integer", "", ":number"), strict=True)]
    packages.write(folder / "package", packages.table("t", fields, ROWS), created="2026-01-01T00:00:00Z")
    with running.lantern(folder / "log", "serve", "package", cwd=folder, LANTERN_STORE="store") as server:
        yield f"{server.url}/v1/datasets/t/records"


def frame(read: pd.DataFrame) -> Rows:
    assert tuple(read.columns) == NAMES
    return list(read.itertuples(index=False, name=None))


def arrow(read: pa.Table) -> Rows:
    assert tuple(read.column_names) == NAMES
    return [tuple(row.values()) for row in read.to_pylist()]


def duck(form: str) -> Callable[[str], Rows]:
    """DuckDB over the downloaded file: over HTTP it needs an extension, which it fetches from elsewhere."""

    def read(base: str) -> Rows:
        path, _ = urllib.request.urlretrieve(base + form)
        kept = shutil.move(path, path + form)
        found = duckdb.sql(f"FROM '{kept}'")
        assert tuple(found.columns) == NAMES
        try:
            return found.fetchall()
        finally:
            Path(kept).unlink()

    return read


def opened(address: str) -> io.BytesIO:
    with urllib.request.urlopen(address) as answer:
        return io.BytesIO(answer.read())


READERS: dict[str, Callable[[str], Rows]] = {
    "pandas csv": lambda base: frame(pd.read_csv(f"{base}.csv")),
    "pandas csv for spreadsheets": lambda base: [
        (number, text.removeprefix("'"), amount) for number, text, amount in frame(pd.read_csv(f"{base}.csv?excel=1"))
    ],
    "pandas tsv": lambda base: frame(pd.read_csv(f"{base}.tsv", sep="\t")),
    "pandas json": lambda base: frame(pd.read_json(f"{base}?shape=array")),
    "pandas jsonl": lambda base: frame(pd.read_json(f"{base}.jsonl", lines=True)),
    "pandas ndjson": lambda base: frame(pd.read_json(f"{base}.ndjson", lines=True)),
    "pandas excel": lambda base: frame(pd.read_excel(f"{base}.xlsx")),
    "pandas excel of a part": lambda base: frame(pd.read_excel(f"{base}.xlsx?id__gte=1")),
    "pandas parquet": lambda base: frame(pd.read_parquet(f"{base}.parquet")),
    "pandas parquet of a part": lambda base: frame(pd.read_parquet(f"{base}.parquet?id__gte=1")),
    "pyarrow csv": lambda base: arrow(
        pyarrow.csv.read_csv(opened(f"{base}.csv"), parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True))
    ),
    "pyarrow jsonl": lambda base: arrow(pyarrow.json.read_json(opened(f"{base}.jsonl"))),
    "pyarrow parquet": lambda base: arrow(pyarrow.parquet.read_table(opened(f"{base}.parquet"))),
    "duckdb csv": duck(".csv"),
    "duckdb tsv": duck(".tsv"),
    "duckdb jsonl": duck(".jsonl"),
    "duckdb ndjson": duck(".ndjson"),
    "duckdb parquet": duck(".parquet"),
    "requests": lambda base: [
        tuple(row.values())
        for row in requests.get(base, params={"sort": "id", "limit": "10"}, timeout=30).json()["data"]
    ],
    "requests, a list": lambda base: [
        tuple(row.values()) for row in requests.get(base, params={"shape": "array"}, timeout=30).json()
    ],
}


@pytest.mark.parametrize("reader", READERS)
def test_the_call_that_a_user_would_write_first_reads_the_rows(rows: str, reader: str) -> None:
    found = READERS[reader](rows)
    assert [(number, text, float(amount)) for number, text, amount in found] == ROWS


SCRIPTS = {
    "readr csv": ("Rscript", 'x <- readr::read_csv("{}.csv", show_col_types = FALSE)'),
    "readr tsv": ("Rscript", 'x <- readr::read_tsv("{}.tsv", show_col_types = FALSE)'),
    "R csv": ("Rscript", 'x <- read.csv("{}.csv", check.names = FALSE, encoding = "UTF-8")'),
    "R tsv": ("Rscript", 'x <- read.delim("{}.tsv", check.names = FALSE, encoding = "UTF-8")'),
    "node fetch": ("node", 'const x = await (await fetch("{}?shape=array")).json();'),
    "node fetch of lines": (
        "node",
        'const lines = await (await fetch("{}.ndjson")).text();'
        'const x = lines.trimEnd().split("\\n").map((line) => JSON.parse(line));',
    ),
}
PRINTED = {
    "Rscript": "writeLines(c(names(x), sum(x[[3]]), nrow(x), x[[2]]))",
    "node": "console.log([...Object.keys(x[0]), x.reduce((sum, row) => sum + Object.values(row)[2], 0), x.length,"
    ' ...x.map((row) => Object.values(row)[1])].join("\\n"))',
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_line_that_a_script_would_begin_with_reads_the_rows(rows: str, name: str, tmp_path: Path) -> None:
    program, line = SCRIPTS[name]
    if shutil.which(program) is None and "CI" not in os.environ:
        pytest.skip(f"{program} is not on this machine")
    script = tmp_path / "script.mjs"
    script.write_text(f"{line.replace('{}', rows)}\n{PRINTED[program]}\n", encoding="utf-8")
    environ = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run([program, str(script)], capture_output=True, text=True, env=environ, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    total = sum(amount for _, _, amount in ROWS)
    assert done.stdout.splitlines() == [*NAMES, str(total), "3", *"\n".join(text for _, text, _ in ROWS).split("\n")]


def test_what_a_program_downloads_is_named_by_its_format(rows: str) -> None:
    """And has its length, so that a broken download does not look whole."""
    for form in (".csv?id__gte=1", ".csv?excel=1", ".tsv", ".ndjson?id__gte=1", ".xlsx", ".parquet?id__gte=1"):
        with urllib.request.urlopen(rows + form) as answer:
            body, headers = answer.read(), answer.headers
        assert headers["Content-Disposition"] == f'inline; filename="t{form.partition("?")[0]}"'
        assert int(headers["Content-Length"]) == len(body) > 0
    assert json.loads(urllib.request.urlopen(f"{rows}?shape=array").read())
