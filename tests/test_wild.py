"""Packages that others published are served as they are: every row, through all that can be asked of any package."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from served import app_of, client_of
from test_any_package import as_found, walk

ROOT = Path(__file__).parent.parent
# The rows of each table of a package.
SERVED: dict[str, dict[str, int]] = {
    "bullying": {"bullying_2013-2021": 20},
    "carlquist": {"carlquist_publications": 20, "carlquist_journals": 20, "carlquist_authors": 20},
    "country-codes": {"country-codes": 8},
    "currency-codes": {"codes-all": 12},
    "dermatology": {"dermatology": 20},
    "frictionless-r-v1": {"deployments": 3, "observations": 8, "media": 3},
    "frictionless-r-v2": {"deployments": 3, "observations": 8, "media": 3},
    "gdp": {"top-economies": 12, "gdp": 12},
    "gold-prices": {"monthly-processed": 12, "annual": 12, "monthly": 12},
    "language-codes": {
        **{"language-codes": 12, "language-codes-3b2": 12, "language-codes-full": 12},
        "ietf-language-tags": 12,
    },
    "movepub": {"reference-data": 7, "gps": 16},
    "population": {"population": 12},
    "s-and-p-500-companies": {"sector-counts": 11, "constituents": 12},
    "un-locode": {
        **{"country-codes": 12, "function-classifiers": 11, "status-indicators": 12, "subdivision-codes": 12},
        "alias": 12,
    },
    "world-cities": {"world-cities": 12},
}
STALE: dict[str, dict[str, int]] = {
    "media-types": {"media-types": 12},
    "oil-prices": {f"{kind}-{each}": 12 for kind in ("brent", "wti") for each in ("daily", "week", "month", "year")},
}
# A cell or two, so that they are not only counted.
CELLS: dict[str, tuple[str, dict[str, Any]]] = {
    "country-codes": ("country-codes", {"ISO3166-1-Alpha-3": "AFG", "Dial": "93", "M49": 4}),
    "gdp": ("gdp", {"Country Code": "AFG", "Year": 2000, "Value": 3521418059.923445}),
    "frictionless-r-v1": ("observations", {"count": 1, "observation_id": "1-1"}),
}


def released(folder: Path, name: str) -> Path:
    """A copy of a package, with the version that a release needs."""
    source = as_found(folder, name)
    [path] = source.glob("datapackage.*")
    read, write = (json.loads, json.dumps) if path.suffix == ".json" else (yaml.safe_load, yaml.safe_dump)
    described = {"version": "1.0.0", **read(path.read_text(encoding="utf-8"))}
    path.write_text(write(described), encoding="utf-8")
    return source


def counted(found: dict[str, list[dict[str, Any]]]) -> dict[str, int]:
    return {table: len(rows) for table, rows in found.items()}


@pytest.mark.parametrize("name", SERVED)
def test_a_package_in_the_wild_is_served(tmp_path: Path, name: str) -> None:
    found = walk(client_of(released(tmp_path, name), tmp_path / "store"))
    assert counted(found) == SERVED[name]
    table, cells = CELLS.get(name, (next(iter(found)), {}))
    assert {field: found[table][0][field] for field in cells} == cells


@pytest.mark.parametrize("name", STALE)
def test_a_package_whose_sizes_are_out_of_date_is_served(tmp_path: Path, name: str) -> None:
    assert counted(walk(client_of(released(tmp_path, name), tmp_path / "store"))) == STALE[name]


def built(folder: Path, name: str, *options: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of a package that is built with options."""
    source = released(folder, name)
    command = [sys.executable, "-P", "-m", "api", "build", str(source), *options, "--store", str(folder / "store")]
    run = subprocess.run(
        command, cwd=source, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return walk(app_of(folder / "store").test_client())


def test_a_package_with_remote_schemas_is_served_with_copies_of_them(tmp_path: Path) -> None:
    found = built(tmp_path, "camtrap-dp", "--with", "schemas")
    assert counted(found) == {"deployments": 4, "media": 8, "observations": 8, "individuals": 1}
    assert found["deployments"][0]["latitude"] == 51.496


@pytest.mark.parametrize(
    ("name", "rows"), [("unece-rec-20", {"annexi": 20, "annexii": 20}), ("okfn-licenses", {"licenses.csv": 20})]
)
def test_a_package_with_errors_is_served_leniently(tmp_path: Path, name: str, rows: dict[str, int]) -> None:
    assert counted(built(tmp_path, name, "--lenient")) == rows
