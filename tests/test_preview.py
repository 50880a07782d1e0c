"""`lantern preview`: a package as it stands, served as a draft while it is edited; nothing of it is left afterwards."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import packages
import pytest
import running
from click.testing import CliRunner
from running import LANTERN

from api.cli import main

SECONDS = 60


class Preview(NamedTuple):
    """A preview that runs: its address, its process, the package, what it prints, and where it keeps its files."""

    url: str
    pid: int
    package: Path
    log: Path
    temporary: Path


def small(folder: Path) -> Path:
    things = packages.table("things", ["id", "n:integer"], [["one", 1], ["two", 2]])
    return packages.write(folder / "package", things, title="Things", created="2026-01-01T00:00:00Z")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return small(tmp_path)


@contextmanager
def previewed(package: Path, *options: str, **environ: str) -> Iterator[Preview]:
    folder = package.parent
    temporary = folder / "temporary"
    temporary.mkdir()
    environ["TMPDIR"] = str(temporary)
    with running.lantern(folder / "log", "preview", str(package), *options, cwd=folder, **environ) as server:
        yield Preview(server.url, server.pid, package, folder / "log", temporary)
    until(lambda: not any(temporary.iterdir()))  # also of one that was killed


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def get(url: str, accept: str = "application/json") -> tuple[dict[str, str], bytes]:
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept}), timeout=20) as answer:
        return dict(answer.headers), bytes(answer.read())


def body(preview: Preview) -> Any:
    return json.loads(get(f"{preview.url}/v1/datasets/things/records")[1])


def numbers(preview: Preview) -> list[int]:
    return [row["n"] for row in body(preview)["data"]]


def edit(preview: Preview, text: str) -> None:
    (preview.package / "data/things.csv").write_text(text)


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Preview]:
    """A preview under settings of a public server, which nobody edits."""
    package = small(tmp_path_factory.mktemp("public"))
    with previewed(package, LANTERN_HOST="0.0.0.0", LANTERN_BASE_URL="https://example.org") as preview:
        yield preview


def test_a_preview_is_a_draft_in_meta_and_on_every_page(public: Preview) -> None:
    meta = body(public)["meta"]
    assert (meta["draft"], meta["version"]) == (True, "1.0.0-draft.1")
    for path in ("/", "/docs/", "/releases/latest/", "/releases/latest/codebook.html", "/problems/not-found"):
        headers, page = get(public.url + path, "text/html")
        assert page.count(b"Draft: not published, not signed") == 1, path
        assert int(headers["Content-Length"]) == len(page), path


@pytest.mark.parametrize("path", ["/", "/v1/", "/v1/datasets/things/records", "/releases/latest/data/things.csv"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_client_keeps_a_draft(public: Preview, path: str, method: str) -> None:
    names = {"If-None-Match": "*", "Range": "bytes=0-1", "Accept-Encoding": "gzip"}
    request = urllib.request.Request(public.url + path, method=method, headers=names)
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert (answer.status, answer.headers["Cache-Control"], answer.headers["ETag"]) == (200, "no-store", None)


def test_nothing_goes_into_the_store_and_nothing_is_signed(public: Preview) -> None:
    assert not (public.package.parent / "var").exists()
    assert [*public.temporary.rglob("datapackage.json")]
    assert not [*public.temporary.rglob("tuf"), *public.temporary.rglob("keys")]


def test_only_this_machine_sees_a_preview_whatever_the_settings_say(public: Preview) -> None:
    assert public.url.startswith("http://127.0.0.1:")
    assert b"example.org" not in get(f"{public.url}/v1/")[1]


def test_an_edit_is_served_and_one_with_an_error_leaves_the_last_good_draft(package: Path) -> None:
    with previewed(package) as preview:
        edit(preview, "id,n\none,1\ntwo,5\n")
        until(lambda: numbers(preview) == [1, 5])
        edit(preview, "id,n\none,1\ntwo,<many>\n")
        until(lambda: "still served" in preview.log.read_text())
        assert 'data/things.csv:3 field "n" of two: "<many>" is not' in preview.log.read_text()
        assert numbers(preview) == [1, 5]
        assert b"Your last change is not shown, because it has errors:" in get(preview.url, "text/html")[1]
        assert b"&lt;many&gt;" in get(preview.url, "text/html")[1]
        (package / "datapackage.json").write_text("{")
        until(lambda: "not valid JSON" in preview.log.read_text())
        assert numbers(preview) == [1, 5]
        things = packages.table("things", ["id", "n:integer"], [["one", 7]])
        packages.write(
            package, things, created="2026-01-01T00:00:00Z", version="0.9.0"
        )  # lower, and served all the same
        until(lambda: numbers(preview) == [7])
        assert b"Your last change" not in get(preview.url, "text/html")[1]
        until(lambda: len(json.loads(get(f"{preview.url}/v1/releases")[1])["data"]) == 1)  # those before are gone


def test_a_changed_figure_is_seen_before_its_correction_is_written(tmp_path: Path) -> None:
    """Which `lantern validate` then demands: history has the published figure."""
    corrections = packages.table(
        "corrections", ["id", "dataset", "record", "field", "old", "new", "kind", "reason", "version", "date"], []
    )
    things = packages.table("things", ["id", "n:integer"], [["one", 1]])
    package = packages.write(tmp_path / "package", things, corrections, created="2026-01-01T00:00:00Z")
    environ = {"LANTERN_STORE": str(tmp_path / "store")}
    for command in (["build", str(package)], ["release", str(package), "--bump", "minor", "--note", "More."]):
        done = CliRunner().invoke(main, command, env=environ)
        assert done.exit_code == 0, done.output
    (package / "data/things.csv").write_text("id,n\none,2\n")
    assert CliRunner().invoke(main, ["validate", str(package)]).exit_code == 1
    with previewed(package) as preview:
        assert (numbers(preview), body(preview)["meta"]["version"]) == ([2], "1.1.0-draft.1")


@pytest.mark.parametrize("ended", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_in_the_temporary_folder(package: Path, ended: signal.Signals) -> None:
    with previewed(package) as preview:
        assert [*preview.temporary.iterdir()]
        os.kill(preview.pid, ended)
        until(lambda: not any(preview.temporary.iterdir()))


def test_a_package_with_errors_has_no_first_draft(package: Path, tmp_path: Path) -> None:
    (package / "data/things.csv").write_text("id,n\none,many\n")
    (tmp_path / "temporary").mkdir()
    environ = {**os.environ, "PORT": "0", "TMPDIR": str(tmp_path / "temporary")}
    command = [*LANTERN, "preview", str(package)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=SECONDS)
    assert (done.returncode, done.stdout) == (1, "")
    assert 'field "n" of one: "many" is not' in done.stderr and "Traceback" not in done.stderr
    assert not any((tmp_path / "temporary").iterdir())


def test_what_can_be_read_of_a_package_with_errors_is_previewed_on_demand(package: Path) -> None:
    (package / "data/things.csv").write_text("id,n\none,many\n")
    with previewed(package, "--lenient") as preview:
        answer = json.loads(get(f"{preview.url}/v1/datasets/things/records")[1])
        assert (answer["data"], answer["meta"]["draft"]) == ([{"id": "one", "n": "many"}], True)
        quality = json.loads(get(f"{preview.url}/v1/datasets/things")[1])["data"]["quality"]
        assert [(edit["field"], edit["is"]) for edit in quality["edits"]] == [("n", "string")]
        edit(preview, "id,n\none,7\n")
        until(lambda: numbers(preview) == [7])


def test_a_preview_reads_copies_and_those_that_change_or_come(package: Path, tmp_path: Path) -> None:
    described = json.loads((package / "datapackage.json").read_text())
    described["resources"][0]["path"] = "https://example.org/a/things.csv"
    (package / "datapackage.json").write_text(json.dumps(described))
    (tmp_path / "copies").mkdir()
    copy = tmp_path / "copies/things.csv"
    copy.write_text("id,n\none,1\n")
    with previewed(package, "--with", "copies") as preview:
        assert numbers(preview) == [1]
        copy.write_text("id,n\none,2\n")
        until(lambda: numbers(preview) == [2])
        copy.rename(tmp_path / "copies/other.csv")
        (tmp_path / "copies/sources.json").write_text('{"https://example.org/a/things.csv": "other.csv"}')
        (tmp_path / "copies/other.csv").write_text("id,n\none,3\n")
        until(lambda: numbers(preview) == [3])


def test_a_zip_is_not_previewed(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["preview", "package.zip"])
    assert (done.exit_code, "name a folder or its descriptor" in done.stderr) == (2, True)
