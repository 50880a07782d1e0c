"""A built wheel is enough: installed elsewhere it builds and serves, whatever lies in the folder it runs in."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import urllib.request
from pathlib import Path

import openpyxl
import packages
import pyarrow.parquet
import pytest
import running

ROOT = Path(__file__).resolve().parents[1]
# What our programs import by these names, and what gunicorn would read: none of it may be the folder's.
STRANGERS = ("api/__init__.py", "wsgi.py", "gunicorn.conf.py", "pickle.py", "json.py", "multiprocessing/__init__.py")


@pytest.fixture(scope="module")
def lantern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of a wheel, installed into an environment that has nothing else but the libraries of this one."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "api", folder / "source" / "api")  # a copy: setuptools writes into the folder that it builds
    for name in ("README.md", "LICENSE", "pyproject.toml", "setup.cfg"):
        shutil.copyfile(ROOT / name, folder / "source" / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    offline = ["--no-deps", "--no-index"]
    wheels = folder / "wheels"
    subprocess.run([*pip, "wheel", *offline, "--no-build-isolation", "-w", wheels, folder / "source"], check=True)
    home = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    subprocess.run([*pip, "--python", home / "bin" / "python", "install", *offline, *wheels.iterdir()], check=True)
    (packaged,) = home.glob("lib/python*/site-packages")
    (packaged / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")  # no .pth in there is followed
    return home / "bin" / "lantern"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder with somebody else's files, each of which ends whatever imports it."""
    for name in STRANGERS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"raise SystemExit('{name} of the working directory was run')\n")
    return tmp_path


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return bytes(answer.read())


def test_the_wheel_is_what_runs(lantern: Path, elsewhere: Path) -> None:
    code = "import api, api.server; print(api.__file__)"
    command = [lantern.with_name("python"), "-P", "-c", code]
    done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).is_relative_to(lantern.parents[1])


def test_a_wheel_serves_a_package_from_a_folder_with_a_strangers_modules(lantern: Path, elsewhere: Path) -> None:
    rows = [["one", 1], ["two", 2]]
    packages.write(
        elsewhere / "mine", packages.table("things", ["id", "n:integer"], rows), created="2026-01-01T00:00:00Z"
    )
    with running.lantern(elsewhere / "log", "serve", "mine", command=[str(lantern)], cwd=elsewhere) as server:
        records = f"{server.url}/v1/datasets/things/records"
        assert [row["id"] for row in json.loads(get(records))["data"]] == ["one", "two"]
        for page in ("/", "/docs/", "/releases/1.0.0/codebook.html", "/releases/1.0.0/validation.html"):
            request = urllib.request.Request(server.url + page, headers={"Accept": "text/html"})
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert answer.headers.get_content_type() == "text/html", page
        assert json.loads(get(f"{server.url}/openapi.json"))["openapi"].startswith("3.")
        book = openpyxl.load_workbook(io.BytesIO(get(f"{records}.xlsx?n=2")))
        assert "two" in [cell.value for row in book["things"].rows for cell in row]
        assert pyarrow.parquet.read_table(io.BytesIO(get(f"{records}.parquet?n=2"))).column("id").to_pylist() == ["two"]


def test_a_csv_file_is_an_api_with_documentation_as_the_readme_says(lantern: Path, elsewhere: Path) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    section = readme.partition("## From a CSV file to an API\n")[2].partition("\n## ")[0]
    install, write, new, preview = re.findall(r"^    (.+)$", section, re.MULTILINE)
    assert (install, new, preview) == ("pip install .", "lantern new sales.csv", "lantern preview sales")
    environ = {**os.environ, "PATH": f"{lantern.parent}:{os.environ['PATH']}"}
    subprocess.run(f"{write} && {new}", shell=True, cwd=elsewhere, env=environ, check=True)
    addresses = re.findall(r"http://127.0.0.1:8000(/(?:[^\s,]*[^\s,.])?)", section)
    assert len(addresses) == 3
    for log, command, version in (("preview", preview, "0.1.0-draft.1"), ("serve", "lantern serve sales", "0.1.0")):
        with running.lantern(elsewhere / log, *command.split()[1:], command=[str(lantern)], cwd=elsewhere) as server:
            for address in addresses:
                assert get(server.url + address)
            answer = json.loads(get(server.url + addresses[-1]))
        assert [row["product"] for row in answer["data"]] == ["tea"]
        assert answer["meta"]["version"] == version


def test_in_the_folder_of_a_package_no_command_needs_its_name(lantern: Path, elsewhere: Path) -> None:
    (elsewhere / "t.csv").write_text("id,n\na,1\nb,2\n")
    subprocess.run([lantern, "new", "t.csv"], cwd=elsewhere, check=True)
    inside = elsewhere / "t"
    subprocess.run([lantern, "validate"], cwd=inside, check=True)
    with running.lantern(elsewhere / "log", "serve", command=[str(lantern)], cwd=inside) as server:
        assert [row["id"] for row in json.loads(get(f"{server.url}/v1/datasets/t/records"))["data"]] == ["a", "b"]


def test_another_server_makes_a_workbook_in_a_folder_with_a_strangers_modules(lantern: Path, elsewhere: Path) -> None:
    packages.write(elsewhere / "mine", packages.table("things", ["id"], [["one"]]), created="2026-01-01T00:00:00Z")
    subprocess.run([lantern, "build", "--package", "mine"], cwd=elsewhere, check=True, stdout=subprocess.DEVNULL)
    code = "from api.app import create_app; r = create_app().test_client().get({!r}); print(r.status, r.data[:2])"
    command = [lantern.with_name("python"), "-P", "-c", code.format("/v1/datasets/things/records.xlsx?id=one")]
    done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True)
    assert done.stdout == "200 OK b'PK'\n", done.stderr


def test_a_large_package_is_built_by_processes_that_import_nothing_of_a_stranger(
    lantern: Path, elsewhere: Path
) -> None:
    """From 20 MB on tables are validated, and their index made, by processes of their own."""
    text = "word " * 6_000
    tables = [packages.table(name, ["id:integer", "text"], [[i, text] for i in range(380)]) for name in ("one", "two")]
    package = packages.write(elsewhere / "large", *tables, created="2026-01-01T00:00:00Z")
    assert sum(path.stat().st_size for path in package.rglob("*.csv")) > 20 * 2**20
    command = [lantern, "build", "--package", package, "--store", elsewhere / "store"]
    done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()[:1]) == (0, ["1.0.0"]), done.stderr
