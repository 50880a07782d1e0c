"""The index: made from a release by whoever serves it, for this program alone, and no part of what is published."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import running
from click.testing import CliRunner, Result
from flask.testing import FlaskClient
from newsroom import copy, origin, serving, states
from packages import table, write
from releases import TWO, package

from api.app import create_app
from api.cli import main
from api.index import layout
from api.release.build import build
from api.store import atomic_files
from api.trust import sign_store, verify

__all__ = ["origin", "states"]
ROWS = "/v1/datasets/guns/records"
OTHER = running.OTHER
# `lantern` as somebody who can write nothing of ours, whoever runs the tests; what it needs is loaded before.
NOBODY = """import os, api.cli, api.server, api.index.making
if os.getuid() == 0: os.setgid(65534), os.setuid(65534)
api.cli.main(["serve"])"""


MAKER = """import sys
from pathlib import Path
from api.index import making
from api.store.releases import open_release
making.make(open_release(*map(Path, sys.argv[1:])))"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with the releases 1.0.0 and 1.1.0."""
    build(package(tmp_path / "package", TWO), tmp_path / "store")
    return tmp_path / "store"


def lantern(*arguments: object, **environ: str) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=environ)


def client_of(store: Path, **settings: Any) -> FlaskClient:
    return create_app(STORE=store, BASE_URL="", **settings).test_client()


def index_of(store: Path, version: str, format: str = layout.FORMAT) -> Path:
    (found,) = (store / "index" / format).glob(f"{version}-*[0-9a-f]")
    return found


def digests(folder: Path) -> dict[str, str]:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def published(store: Path) -> dict[str, str]:
    """Everything of a store but what is local."""
    return {name: digest for name, digest in digests(store).items() if not name.startswith(("index/", "tmp/", "."))}


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def as_before(release: Path) -> None:
    """Make a release into one of the former format, which listed what the server asked."""
    (release / "serving").mkdir()
    (release / "serving/index.sqlite").write_bytes(b"what nobody opens any more")
    manifest = json.loads((release / "manifest.json").read_bytes())
    del manifest["format"]
    manifest["layout"] = 2
    manifest["files"].append(
        {
            "path": "serving/index.sqlite",
            "bytes": 26,
            "sha256": hashlib.sha256(b"what nobody opens any more").hexdigest(),
            "media_type": "application/vnd.sqlite3",
        }
    )
    (release / "manifest.json").write_text(json.dumps(manifest))
    lines = [f"{entry['sha256']}  {entry['path']}\n" for entry in manifest["files"]]
    lines.append(f"{hashlib.sha256((release / 'manifest.json').read_bytes()).hexdigest()}  manifest.json\n")
    (release / "SHA256SUMS").write_text("".join(sorted(lines)))


# What it is


def test_a_release_holds_what_people_download_and_its_index_is_beside_it(store: Path) -> None:
    release = store / "releases/1.1.0"
    manifest = json.loads((release / "manifest.json").read_bytes())
    assert (manifest["format"], "layout" in manifest) == (3, False)
    named = {entry["path"] for entry in manifest["files"]}
    assert "data/guns.csv" in named and not [path for path in named if "serving" in path or "index" in path]
    assert not (release / "serving").exists()
    raw = hashlib.sha256((release / "manifest.json").read_bytes()).hexdigest()
    index = store / "index" / layout.FORMAT / f"1.1.0-{raw[:16]}"
    listed = json.loads((index / "index.json").read_bytes())
    assert listed["format"] == layout.FORMAT
    there = {path.name: path.read_bytes() for path in index.iterdir() if path.name != "index.json"}
    assert there
    assert {(one["name"], one["bytes"], *one["sha256"]) for one in listed["files"]} == {
        (name, len(data), hashlib.sha256(data).hexdigest()) for name, data in there.items()
    }


def test_it_is_neither_signed_nor_exported_nor_mirrored(store: Path, tmp_path: Path) -> None:
    sign_store(store, lambda _: None)
    assert lantern("export", tmp_path / "site", "--store", store).exit_code == 0
    assert not [path for path in (tmp_path / "site").rglob("*") if path.name in ("index.sqlite", "serving")]
    with serving(store, tmp_path / "log") as url:
        copy(url, tmp_path / "copy")
    assert verify(store).problems == verify(tmp_path / "copy").problems == []
    assert digests(tmp_path / "copy/releases") == digests(store / "releases")
    assert index_of(tmp_path / "copy", "1.1.0").is_dir()  # its own


def test_an_export_makes_the_indexes_that_it_needs(store: Path, tmp_path: Path) -> None:
    sign_store(store, lambda _: None)
    shutil.rmtree(store / "index")
    assert lantern("export", tmp_path / "site", "--store", store).exit_code == 0
    rows = json.loads((tmp_path / "site/v1/datasets/guns/records/index.json").read_bytes())["data"]
    assert [row["id"] for row in rows] == ["a", "c", "d"]


def test_a_release_of_the_former_format_is_served_mirrored_exported_and_verified(store: Path, tmp_path: Path) -> None:
    shutil.rmtree(store / "index")
    as_before(store / "releases/1.0.0")
    sign_store(store, lambda _: None)
    before = published(store)
    with serving(store, tmp_path / "log") as url:
        until(lambda: (store / "index" / layout.FORMAT).exists() and len([*store.glob("index/*/1.*")]) == 2)
        for version, ids in (("1.0.0", ["a", "b", "c"]), ("1.1.0", ["a", "c", "d"])):
            with urllib.request.urlopen(f"{url}{ROWS}?version={version}") as answer:
                assert [row["id"] for row in json.load(answer)["data"]] == ids
        assert copy(url, tmp_path / "copy").added == ("1.1.0", "1.0.0")
    assert published(store) == before
    assert digests(tmp_path / "copy/releases") == digests(store / "releases")
    assert verify(tmp_path / "copy", strict=True).problems == []
    assert client_of(tmp_path / "copy").get(f"{ROWS}?version=1.0.0").status_code == 200
    assert lantern("export", tmp_path / "site", "--store", store).exit_code == 0
    assert (tmp_path / "site/releases/1.0.0/serving/index.sqlite").is_file()
    again = lantern("build", tmp_path / "package", "--store", store)
    assert again.exit_code == 0 and published(store) == before


def test_a_release_of_a_later_format_is_named_and_the_others_are_served(store: Path) -> None:
    path = store / "releases/1.1.0/manifest.json"
    path.write_text(path.read_text().replace('"format": 3', '"format": 4'))
    client = client_of(store)
    assert client.get(ROWS).headers["X-Data-Version"] == "1.0.0"
    (warning,) = client.get("/readyz").get_json()["warnings"]
    assert warning["version"] == "1.1.0" and "format is 4" in warning["reason"]


# When it is made


def test_latest_is_the_newest_release_that_has_its_index_and_files_are_served_meanwhile(store: Path) -> None:
    away = store / "away"
    (store / "releases/1.1.0").rename(away)
    shutil.rmtree(index_of(store, "1.1.0"))
    client = client_of(store)
    assert client.get(ROWS).headers["X-Data-Version"] == "1.0.0"
    with atomic_files.locked(store / "index"):  # nobody can make one now
        away.rename(store / "releases/1.1.0")
        until(lambda: client.get("/releases/1.1.0/data/guns.csv").status_code == 200)
        assert client.get(ROWS).headers["X-Data-Version"] == "1.0.0"
        refused = client.get(f"{ROWS}?version=1.1.0")
        assert (refused.status_code, refused.get_json()["type"]) == (503, "/problems/not-ready")
        assert refused.headers["Retry-After"].isdigit()
        ready = client.get("/readyz")
        assert ready.status_code == 200 and ready.get_json()["version"] == "1.0.0"
        assert ready.get_json()["warnings"] == [{"version": "1.1.0", "reason": "its index is being made"}]
        assert client.get("/v1/releases").status_code == client.get("/v1/releases/1.1.0").status_code == 200
    until(lambda: client.get(ROWS).headers["X-Data-Version"] == "1.1.0")
    assert client.get("/readyz").get_json()["warnings"] == []


def test_until_a_release_has_its_index_data_is_503_and_release_files_are_served(store: Path) -> None:
    sign_store(store, lambda _: None)
    shutil.rmtree(store / "index")
    client = client_of(store)
    with atomic_files.locked(store / "index"):
        for path in (
            ROWS,
            f"{ROWS}/a",
            f"{ROWS}?version=1.0.0",
            f"{ROWS}.csv?value=1",
            "/v1/search?q=first",
            "/readyz",
        ):
            answer = client.get(path)
            assert (answer.status_code, answer.get_json()["type"]) == (503, "/problems/not-ready"), path
            assert answer.headers["Retry-After"].isdigit() and answer.headers["Cache-Control"] == "no-store"
        for path in ("/releases/1.1.0/manifest.json", "/releases/1.0.0/data/guns.csv", "/tuf/root.json", "/healthz"):
            assert client.get(path).status_code == 200, path
    until(lambda: client.get(ROWS).status_code == 200)


def test_serve_makes_the_newest_before_it_listens_and_the_older_ones_by_itself(store: Path, tmp_path: Path) -> None:
    shutil.rmtree(store / "index")
    with running.lantern(tmp_path / "log", "serve", LANTERN_STORE=str(store)) as server:
        with urllib.request.urlopen(server.url + ROWS) as answer:
            assert answer.headers["X-Data-Version"] == "1.1.0"
        assert "making the index of release 1.1.0" in (tmp_path / "log").read_text()
        until(lambda: [*store.glob("index/*/1.0.0-*/index.json")])


def test_a_second_build_makes_an_index_that_is_missing(store: Path, tmp_path: Path) -> None:
    shutil.rmtree(index_of(store, "1.1.0"))
    build(tmp_path / "package", store)
    assert (index_of(store, "1.1.0") / "index.json").is_file()


def test_a_release_that_is_not_whole_gets_no_index_until_it_is(store: Path) -> None:
    data = store / "releases/1.1.0/data/guns.csv"
    whole = data.read_bytes()
    data.write_bytes(whole[: len(whole) // 2])
    shutil.rmtree(index_of(store, "1.1.0"))
    client = client_of(store)
    assert client.get(ROWS).headers["X-Data-Version"] == "1.0.0"
    until(lambda: "data/guns.csv is not as" in str(client.get("/readyz").get_json()["warnings"]))
    data.write_bytes(whole)
    until(lambda: client.get(ROWS).headers["X-Data-Version"] == "1.1.0")
    assert client.get("/readyz").get_json()["warnings"] == []


def test_a_server_says_what_its_maker_said_of_data_that_cannot_be_indexed(store: Path) -> None:
    release = store / "releases/1.1.0"
    data, manifest = release / "data/guns.csv", json.loads((release / "manifest.json").read_bytes())
    data.write_text(data.read_text().replace("5", "five"))
    (entry,) = (entry for entry in manifest["files"] if entry["path"] == "data/guns.csv")
    entry |= {"bytes": data.stat().st_size, "sha256": hashlib.sha256(data.read_bytes()).hexdigest()}
    (release / "manifest.json").write_text(json.dumps(manifest))
    client = client_of(store)
    assert client.get(ROWS).headers["X-Data-Version"] == "1.0.0"
    until(lambda: "its data cannot be indexed: " in str(client.get("/readyz").get_json()["warnings"]))
    (warning,) = client.get("/readyz").get_json()["warnings"]
    assert warning["version"] == "1.1.0" and warning["reason"].endswith("ValueError('a whole number')")


def test_makers_at_the_same_time_make_one(store: Path) -> None:
    index = index_of(store, "1.1.0")
    shutil.rmtree(index)
    command = [sys.executable, "-P", "-c", MAKER, store / "releases/1.1.0", index.parent]
    with atomic_files.locked(store / "index"):
        makers = [subprocess.Popen(command) for _ in range(3)]
        time.sleep(1)
    until(index.exists)
    first = index.stat().st_ino
    assert [maker.wait() for maker in makers] == [0, 0, 0]
    assert index.stat().st_ino == first


def test_of_a_large_release_a_process_of_its_own_makes_it(tmp_path: Path) -> None:
    large = write(tmp_path / "large", table("t", ["id:integer", "text"], [[n, "a" * 4_000_000] for n in range(6)]))
    result = lantern("build", large, "--store", tmp_path / "store")
    assert result.exit_code == 0, result.output
    (index,) = tmp_path.glob("store/index/*/1.0.0-*")
    made = digests(index)
    assert lantern("index", "--store", tmp_path / "store").exit_code == 0
    assert digests(index).keys() != made.keys() and digests(index)["tables.sqlite"] == made["tables.sqlite"]
    assert {path.name for path in index.parent.iterdir()} == {index.name, ".lock"}
    with (tmp_path / "store/releases/1.0.0/data/t.csv").open("ab") as file:
        file.write(b"one more\n")
    failed = lantern("index", "--store", tmp_path / "store")
    assert failed.exit_code == 1
    assert failed.output.splitlines()[-1] == "1.0.0 has no index: data/t.csv is not as the manifest has it"


def test_what_a_dead_maker_left_is_removed(store: Path) -> None:
    folder = store / "index" / layout.FORMAT
    (folder / ".aside-dead/new").mkdir(parents=True)
    assert lantern("index", "--store", store).exit_code == 0
    assert [path.name for path in folder.iterdir() if path.name.startswith(".aside")] == []


# Where it is


def test_the_setting_names_its_folder(tmp_path: Path) -> None:
    source, store, place = package(tmp_path / "package", TWO), tmp_path / "store", tmp_path / "place"
    environ = {"LANTERN_INDEX": str(place)}
    assert lantern("build", source, "--store", store, **environ).exit_code == 0
    assert not (store / "index").exists()
    assert len([*place.glob("*/*/index.json")]) == 2
    assert client_of(store, INDEX=str(place)).get(ROWS).status_code == 200
    with running.lantern(tmp_path / "log", "serve", LANTERN_STORE=str(store), **environ) as server:
        assert lantern("mirror", server.url, tmp_path / "copy", LANTERN_INDEX=str(tmp_path / "other")).exit_code == 0
        assert lantern("mirror", server.url, tmp_path / "archive", "--no-index").exit_code == 0
    assert len([*tmp_path.glob("other/*/*/index.json")]) == 2
    assert not (tmp_path / "copy/index").exists() and not (tmp_path / "archive/index").exists()
    assert verify(tmp_path / "archive").problems == []


def serve_as_nobody(**environ: str) -> "subprocess.CompletedProcess[str]":
    values = {**os.environ, "PORT": "http", **environ}  # it ends at the latest where it would listen
    command = [sys.executable, "-P", "-c", NOBODY]
    return subprocess.run(command, env=values, capture_output=True, text=True, timeout=60)


def test_a_store_that_cannot_be_written_needs_the_setting(store: Path) -> None:
    with tempfile.TemporaryDirectory() as base:  # unlike the folder of a test, open to everybody
        Path(base).chmod(0o755)
        shelf, place = Path(shutil.copytree(store, Path(base, "store"))), Path(base, "place")
        shutil.rmtree(shelf / "index")
        place.mkdir(mode=0o777)
        place.chmod(0o777)
        shelf.chmod(0o555)
        refused = serve_as_nobody(LANTERN_STORE=str(shelf))
        assert (refused.returncode, [*shelf.glob("index")]) == (2, []), refused.stderr
        assert f"{shelf} cannot be written" in refused.stderr and "LANTERN_INDEX" in refused.stderr
        done = serve_as_nobody(LANTERN_STORE=str(shelf), LANTERN_INDEX=str(place))
        assert (done.returncode, "PORT='http'" in done.stderr) == (2, True), done.stderr
        assert [*place.glob("*/1.1.0-*/index.json")]
        shelf.chmod(0o755)


# Other versions of the program


def test_two_programs_take_turns_over_a_store_and_mirrors_of_each(store: Path, tmp_path: Path) -> None:
    sign_store(store, lambda _: None)
    before = published(store)
    own = digests(index_of(store, "1.1.0")), index_of(store, "1.1.0").stat().st_ino
    this = running.LANTERN
    for turn, (program, format) in enumerate([(OTHER, "other"), (this, layout.FORMAT), (OTHER, "other")]):
        log = tmp_path / f"log-{turn}"
        with running.lantern(log, "serve", command=program, LANTERN_STORE=str(store)) as server:
            with urllib.request.urlopen(server.url + ROWS) as answer:
                assert [row["id"] for row in json.load(answer)["data"]] == ["a", "c", "d"]
            until(lambda found=format: len([*store.glob(f"index/{found}/1.*/index.json")]) == 2)
            for mirroring, name in ((this, "this"), (OTHER, "other")):
                command = [*mirroring, "mirror", server.url, tmp_path / name]
                subprocess.run(command, check=True, capture_output=True)
        assert ("making the index" in log.read_text()) is (turn == 0)  # each finds its own
        assert published(store) == before
    assert (digests(index_of(store, "1.1.0")), index_of(store, "1.1.0").stat().st_ino) == own
    for name, program in (("this", OTHER), ("other", this)):
        assert digests(tmp_path / name / "releases") == digests(store / "releases")
        with running.lantern(tmp_path / "log", "serve", command=program, LANTERN_STORE=str(tmp_path / name)) as server:
            with urllib.request.urlopen(server.url + ROWS) as answer:
                assert answer.headers["X-Data-Version"] == "1.1.0"
        assert verify(tmp_path / name, strict=True).problems == []
        assert {path.name for path in (tmp_path / name / "index").glob("[a-z0-9]*")} == {layout.FORMAT, "other"}


def test_the_command_makes_each_again_and_removes_those_of_other_programs_and_of_releases_that_are_gone(
    store: Path, tmp_path: Path
) -> None:
    subprocess.run([*OTHER, "index", "--store", store], check=True, capture_output=True)
    assert {path.name for path in (store / "index").glob("[a-z0-9]*")} == {"other"}
    assert lantern("index", "--store", store).exit_code == 0
    before = index_of(store, "1.1.0").stat().st_ino
    (index_of(store, "1.1.0") / "index.json").write_text("{}")
    shutil.rmtree(store / "releases/1.0.0")
    (store / "index/notes").mkdir()
    (store / "index/notes/mine.txt").write_text("not made by the program")
    result = lantern("index", "--store", store)
    assert result.exit_code == 0 and "removed" in result.output
    assert [path.name[:6] for path in (store / "index" / layout.FORMAT).glob("[a-z0-9]*")] == ["1.1.0-"]
    assert index_of(store, "1.1.0").stat().st_ino != before
    assert (store / "index/notes/mine.txt").exists()
    assert client_of(store).get(ROWS).status_code == 200
    (store / "releases/1.1.0/data/guns.csv").write_text("id\n")
    result = lantern("index", "--store", store)
    assert result.exit_code == 1 and "1.1.0 has no index: data/guns.csv is not as" in result.output


def test_an_index_made_again_is_taken_over_by_a_running_server_without_a_refusal(store: Path) -> None:
    client = client_of(store, CACHE_MB=0)
    first = client.get(ROWS).data
    for _ in range(3):
        assert lantern("index", "--store", store).exit_code == 0
        assert client.get(ROWS).data == first


def test_only_indexes_are_removed(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder beside them that has an index.json too, as websites have, is none."""
    for text in ("{}", '{"format": "website", "files": []}'):
        site = store / "index/website/public"
        site.mkdir(parents=True, exist_ok=True)
        (site / "index.json").write_text(text)
        (site / "article.html").write_text("words")
        assert lantern("index", "--store", store).exit_code == 0
        assert (site / "article.html").read_text() == "words"
