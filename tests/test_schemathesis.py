"""Every operation of the document, asked with valid and invalid data by schemathesis, against a running server."""

import copy
import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = 50
SECONDS = 900
KEPT = 4
FULL = "/v1/datasets/exports/"
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")


def read(address: str) -> Any:
    with urllib.request.urlopen(address) as answer:
        return json.load(answer)


def with_examples(document: dict[str, Any], examples: dict[str, str]) -> dict[str, Any]:
    """The document with examples, by name, for what must be given and has none: it knows no data, this test does."""
    found = copy.deepcopy(document)
    inline = [entry for item in found["paths"].values() for entry in item["get"].get("parameters", [])]
    for entry in [*inline, *found["components"]["parameters"].values()]:
        if entry.get("required") and "example" not in entry and entry["name"] in examples:
            entry["example"] = examples[entry["name"]]
    return found


def thinned(document: dict[str, Any]) -> dict[str, Any]:
    """The document with few filters: some operations have 250, which differ in their names only.

    Schemathesis makes some ten requests for each parameter, so the operations of one dataset keep one filter of each
    kind (operator, and how its value is written), the others four kinds, others each time; tests/test_openapi.py asks
    every single filter. XLSX and Parquet, each answer of which a process of its own writes, are asked of one dataset.
    """
    found = copy.deepcopy(document)
    known = found["components"]["parameters"]
    for number, (path, item) in enumerate(found["paths"].items()):
        entries = item["get"].get("parameters", [])
        kinds: dict[str, Any] = {}
        for entry in entries:
            kinds.setdefault(_kind(entry, known), entry)
        kinds.pop("", None)
        chosen = [list(kinds.values())[(number * KEPT + place) % len(kinds)] for place in range(KEPT)] if kinds else []
        kept = list(kinds.values()) if FULL in path else chosen
        item["get"]["parameters"] = [entry for entry in entries if not _kind(entry, known) or entry in kept]
        for entry in entries:
            if entry.get("name") == "extension" and FULL not in path:
                entry["schema"]["enum"] = ["json", "jsonl", "csv"]
    return found


def _kind(parameter: dict[str, Any], known: dict[str, Any]) -> str:
    """What a filter has in common with others; empty for what is no filter."""
    entry = known[parameter["$ref"].rpartition("/")[2]] if "$ref" in parameter else parameter
    shape = json.dumps(entry.get("schema", entry.get("content")))
    return f"{entry['name'].partition('__')[2]} {shape}" if "#/components/schemas/" in shape else ""


def part_of(path: str, names: list[str]) -> int:
    """The operations in two parts of about the same work, each of some datasets."""
    found = re.match(r"/v1/datasets/([^/]+)", path)
    return names.index(found[1]) % 2 if found else 1


@pytest.mark.parametrize("part", [0, 1])
def test_every_operation_keeps_its_word(part: int, server: str, tmp_path: Path) -> None:
    """All checks, no server error, no status or shape that is not documented."""
    known = {"q": "mexico", "version": read(f"{server}/v1/releases")["data"][0]["version"]}
    document = thinned(with_examples(read(f"{server}/openapi.json"), known))
    names = list(dict.fromkeys(re.findall(r"/v1/datasets/([^/\"]+)", json.dumps(list(document["paths"])))))
    document["paths"] = {p: i for p, i in document["paths"].items() if part_of(p, names) == part}
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document))
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(path), "--url", server, "--checks", "all"]
    command += ["--max-examples", str(EXAMPLES), "--no-color", "--workers", "1"]
    command += ["--generation-deterministic", "--continue-on-failure"]
    command += ["--phases", "examples,coverage,fuzzing"]  # the fourth, stateful, has nothing to do: all is read-only
    environ = {**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS)}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-3_000:]
