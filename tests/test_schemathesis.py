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
from fitting import fit

from api.model import descriptor
from api.query.parameters import filters

EXAMPLES = 50
SECONDS = 900
KEPT = 4
ASKED = "exports"  # the dataset that is asked most
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")


def read(address: str) -> Any:
    with urllib.request.urlopen(address) as answer:
        return json.load(answer)


def prepared(document: dict[str, Any], known: dict[str, str], conditions: dict[str, list[str]]) -> dict[str, Any]:
    """The document with what it cannot know: an example of what must be given and has none, conditions for `where`.

    It knows no data, and says in words what a condition is; this test has some for each dataset, of each operator.
    What is described once for every dataset is asked of one, with its fields. And there are fewer filters by name: each
    operation beside those of one dataset keeps four, others each time; tests/test_openapi.py asks every single one.
    """
    found = copy.deepcopy(document)
    parameters, schemas = found["components"]["parameters"], found["components"]["schemas"]
    schemas["DatasetName"]["enum"] = [ASKED]
    for name in ("File", "Part"):  # bytes of any kind, which it would parse where they are JSON
        found["components"]["responses"][name]["content"]["*/*"]["schema"] = {}
    for number, (path, item) in enumerate(found["paths"].items()):
        entries = _entries(found, path)
        if "{dataset}" in path:
            own = f"/v1/datasets/{ASKED}/{path.rpartition('/')[2].partition('.')[0]}"
            own = own if own in found["paths"] else f"/v1/datasets/{ASKED}/records"
            of_asked = {one["name"]: one for one in _entries(document, own)}
            entries = [of_asked.get(entry["name"], entry) for entry in entries]
        entries = copy.deepcopy(entries)
        named = re.match(r"/v1/(?:datasets/)?(\w+)", path)
        known_here = conditions.get(named[1] if named else "", conditions[ASKED])
        for entry in entries:
            if entry["name"] in ("where", "or"):
                entry["schema"]["items"] = {"type": "string", "enum": known_here}
            if entry["name"] == "as_of":  # which may have a time too; what is neither is refused
                entry["schema"] = {"type": "string", "format": "date"}
            if entry["name"] == "expand":
                entry["schema"]["items"] = {"type": "string", "enum": ["indicator", "source"]}
            if entry.get("required") and "example" not in entry and entry["name"] in known:
                entry["example"] = known[entry["name"]]
        by_name = [entry for entry in entries if "$ref" in entry["schema"] and entry["in"] == "query"]
        first = number * KEPT % max(1, len(by_name))
        dropped = [] if ASKED in path else [*by_name[first + KEPT :], *by_name[:first]]
        item["get"]["parameters"] = [entry for entry in entries if entry not in dropped]
    parameters.clear()
    return found


def _entries(document: dict[str, Any], path: str) -> list[dict[str, Any]]:
    known = document["components"]["parameters"]
    return [known[entry["$ref"].rpartition("/")[2]] for entry in document["paths"][path]["get"].get("parameters", [])]


def conditions_of(schema: dict[str, Any]) -> list[str]:
    """A condition with each operator on each type of field."""
    found: dict[tuple[str, str], str] = {}
    for name, value in filters(descriptor.table({"name": "", "schema": schema})).items():
        found.setdefault((value.operator.name, value.kind.type), f"{name}={fit(value)}")
    return [*found.values()]


def part_of(path: str, names: list[str]) -> int:
    """The operations in two parts of about the same work, each of some datasets."""
    found = re.match(r"/v1/datasets/([^/]+)", path)
    return names.index(found[1]) % 2 if found and found[1] in names else 1


@pytest.mark.parametrize("part", [0, 1])
def test_every_operation_keeps_its_word(part: int, server: str, tmp_path: Path) -> None:
    """All checks, no server error, no status or shape that is not documented."""
    known = {"q": "mexico", "version": read(f"{server}/v1/releases")["data"][0]["version"]}
    names = [entry["name"] for entry in read(f"{server}/v1/datasets")["data"]]
    conditions = {name: conditions_of(read(f"{server}/v1/datasets/{name}/schema")) for name in names}
    document = prepared(read(f"{server}/openapi.json"), known, conditions)
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
