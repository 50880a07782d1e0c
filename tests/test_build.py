"""A release is made once, whole or not at all, and from the same package always with the same bytes."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from packages import table, write
from releases import TWO, guns, package

from api.cli import main
from api.model.files import RELEASE_INDEX
from api.release.build import BuildError, build
from api.store import atomic_files, release_index

ROWS = [["a", 1, "first"], ["b", 2, ""]]
COMMAND = (sys.executable, "-c", "from api.cli import main; main()", "build")


def contents(root: Path) -> dict[str, str]:
    """The SHA-256 of every file of a store's releases, by path."""
    folder = root / "releases"
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def whole(root: Path) -> list[str]:
    """The releases of a store, each of which is whole."""
    found = sorted((root / "releases").iterdir()) if (root / "releases").exists() else []
    for folder in found:
        subprocess.run(["sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS"], cwd=folder, check=True)
        named = {entry["path"] for entry in json.loads((folder / "manifest.json").read_bytes())["files"]}
        there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert there == named | {"manifest.json", "SHA256SUMS"}
    return [folder.name for folder in found]


def left(root: Path) -> list[Path]:
    """What builds left in the places where they work."""
    return [*(root / "tmp").glob("build-*"), *root.glob("index/*/.aside-*")]


def test_a_large_package_that_is_not_valid_is_reported_and_nothing_else_is_printed(tmp_path: Path) -> None:
    rows = [["x", "a" * 4_000_000], *([str(n), "a" * 4_000_000] for n in range(5))]
    source = write(tmp_path / "package", table("t", ["id:integer", "text"], rows))
    done = subprocess.run([*COMMAND, source, "--store", tmp_path / "store"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert [line.partition(" ")[0] for line in done.stderr.splitlines()] == ["data/t.csv:2", "not", "with"]


def test_former_versions_that_the_store_lacks_are_built_first(tmp_path: Path) -> None:
    release = build(package(tmp_path / "p", TWO), tmp_path / "store")
    assert release.version == "1.1.0"
    assert whole(tmp_path / "store") == ["1.0.0", "1.1.0"]
    manifest = json.loads((release.folder / "manifest.json").read_bytes())
    assert (manifest["previous"], manifest["published_at"]) == ("1.0.0", "2026-04-01T10:00:00Z")


def test_what_a_release_says_does_not_depend_on_the_store(tmp_path: Path) -> None:
    source = package(tmp_path / "p", TWO)
    build(source, tmp_path / "one")
    build(write(tmp_path / "other", guns(ROWS), version="1.0.5"), tmp_path / "two")
    build(source, tmp_path / "two")
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert one.items() <= two.items()


def test_a_second_build_does_nothing(tmp_path: Path) -> None:
    source = package(tmp_path / "p", TWO)
    folder = build(source, tmp_path / "store").folder
    before = contents(tmp_path / "store"), folder.stat().st_ino
    build(source, tmp_path / "store")
    assert (contents(tmp_path / "store"), folder.stat().st_ino) == before
    assert left(tmp_path / "store") == []


@pytest.mark.parametrize("changed", ["data", "descriptor", "text"])
def test_a_version_is_never_built_with_other_content(tmp_path: Path, changed: str) -> None:
    source = write(tmp_path / "p", guns(ROWS), title="Guns")
    build(source, tmp_path / "store")
    before = contents(tmp_path / "store")
    if changed == "text":
        (source / "README.md").write_text("Other words.")
    else:
        write(source, guns(ROWS[: 1 if changed == "data" else 2]), title="Guns!" if changed == "descriptor" else "Guns")
    with pytest.raises(BuildError, match=r"release 1\.0\.0 is in the store with other content"):
        build(source, tmp_path / "store")
    assert contents(tmp_path / "store") == before


def test_an_invalid_package_leaves_nothing_behind(tmp_path: Path) -> None:
    versions = {"1.0.0": [guns(ROWS)], "1.1.0": [guns([["a", "one", ""]])]}
    result = CliRunner().invoke(
        main, ["build", "--package", str(package(tmp_path / "p", versions)), "--store", str(tmp_path / "store")]
    )
    assert result.exit_code == 1 and "one" in result.output
    assert whole(tmp_path / "store") == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"version": "../up"}, "cannot name a release"),
        ({"version": ".hidden"}, "cannot name a release"),
    ],
)
def test_a_package_that_cannot_be_a_release_is_refused(tmp_path: Path, words: dict[str, str], message: str) -> None:
    with pytest.raises(BuildError, match=message):
        build(write(tmp_path / "p", guns(ROWS), **words), tmp_path / "store")


def test_a_release_is_not_dated_before_the_one_it_follows(tmp_path: Path) -> None:
    source = package(tmp_path / "p", {"1.0.0": [guns(ROWS)], "1.1.0": [guns(ROWS)]})
    write(source, guns(ROWS), version="1.1.0", created="2026-02-01T00:00:00Z")
    with pytest.raises(BuildError, match="dated when they are made"):
        build(source, tmp_path / "store")


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"format": 3}', '"text"', "{"])
def test_a_folder_in_the_store_that_is_no_release_is_named(tmp_path: Path, manifest: str) -> None:
    source, store = write(tmp_path / "p", guns(ROWS)), tmp_path / "store"
    build(source, store)
    (store / "releases/1.0.0/manifest.json").write_text(manifest)
    with pytest.raises(BuildError, match=r"1\.0\.0 is not a release"):
        build(source, store)


def test_times_are_told_in_utc(tmp_path: Path) -> None:
    release = build(write(tmp_path / "p", guns(ROWS), created="2026-03-01T01:30:00+02:00"), tmp_path / "store")
    assert release.published_at == "2026-02-28T23:30:00Z"


def test_the_history_is_checked_against_its_own_checksums(tmp_path: Path) -> None:
    source = package(tmp_path / "p", TWO)
    first = build(source / "history/1.0.0", tmp_path / "first").folder
    shutil.rmtree(source / "history/1.0.0")
    with zipfile.ZipFile(first / "package.zip") as archive:
        archive.extractall(source / "history/1.0.0")
    build(source, tmp_path / "store")
    assert contents(tmp_path / "first").items() <= contents(tmp_path / "store").items()
    data = source / "history/1.0.0/data/guns.csv"
    data.write_text(data.read_text().replace("first", "frist"))
    with pytest.raises(BuildError, match="checksum differs from the descriptor"):
        build(source, tmp_path / "again")


@pytest.mark.parametrize("form", ["package.zip", "folder of the release"])
def test_a_release_is_built_again_from_what_it_holds(tmp_path: Path, form: str) -> None:
    folder = build(package(tmp_path / "p", TWO), tmp_path / "store").folder
    source = folder / "package.zip" if form == "package.zip" else folder
    build(source, tmp_path / "again")
    rest = {name: digest for name, digest in contents(tmp_path / "store").items() if name.startswith("1.1.0/")}
    assert contents(tmp_path / "again") == rest


def test_a_package_that_names_a_previous_version_must_bring_it(tmp_path: Path) -> None:
    source = write(tmp_path / "p", guns(ROWS), version="1.1.0", **{"lantern:previous": "1.0.0"})
    result = CliRunner().invoke(main, ["build", "--package", str(source), "--store", str(tmp_path / "store")])
    assert result.exit_code == 1 and "previous version 1.0.0" in result.output


def test_a_folder_of_the_history_holds_the_version_it_is_named_after(tmp_path: Path) -> None:
    source = package(tmp_path / "p", TWO)
    (source / "history/1.0.0").rename(source / "history/0.9.0")
    result = CliRunner().invoke(main, ["build", "--package", str(source), "--store", str(tmp_path / "store")])
    assert result.exit_code == 1 and "history/0.9.0" in result.output


def test_our_package_gives_the_same_bytes_anywhere(store: Path, tmp_path: Path) -> None:
    """Another folder, time zone, locale, umask and hash seed; and the newest version from its own zip."""
    folder = max((store / "releases").iterdir(), key=lambda path: path.name)
    shutil.copyfile(folder / "package.zip", tmp_path / "copied.zip")
    environ = {**os.environ, "TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONHASHSEED": "7", "TMPDIR": str(tmp_path)}
    places = ["--package", str(tmp_path / "copied.zip"), "--store", str(tmp_path / "deep/er")]
    subprocess.run([*COMMAND, *places], env=environ, cwd=tmp_path, check=True, umask=0o077, stdout=subprocess.PIPE)
    there = contents(store)
    assert contents(tmp_path / "deep/er") == {k: v for k, v in there.items() if k.startswith(f"{folder.name}/")}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "deep/er/releases" / folder.name).rglob("*.csv")} == {
        0o644
    }


def test_our_history_gives_the_same_bytes_as_the_release_made_from_it(store: Path, tmp_path: Path) -> None:
    build(Path(__file__).parents[1] / "datapackage/history/1.0.0", tmp_path)
    assert contents(tmp_path).items() <= contents(store).items()


def test_our_releases_pass_sha256sum(store: Path) -> None:
    assert whole(store)[:2] == ["1.0.0", "1.1.0"]


def test_a_build_killed_at_any_moment_leaves_the_old_state_or_the_new(tmp_path: Path) -> None:
    source, root = package(tmp_path / "p", TWO), tmp_path / "store"
    arguments = [*COMMAND, "--package", str(source), "--store", str(root)]
    started = time.monotonic()
    subprocess.run([*arguments[:-1], str(tmp_path / "timed")], check=True, stdout=subprocess.PIPE)
    lasted = time.monotonic() - started
    for _ in range(6):
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, start_new_session=True)
        time.sleep(random.uniform(0.3, 1.0) * lasted)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert whole(root) in ([], ["1.0.0"], ["1.0.0", "1.1.0"])
    build(source, root)
    assert contents(root) == contents(tmp_path / "timed")
    assert left(root) == []
    assert [*root.glob("index/*/1.1.0-*/index.json")]


def test_what_a_dead_build_left_is_removed_and_what_a_live_one_makes_is_not(tmp_path: Path) -> None:
    dead, alive = tmp_path / "tmp/build-dead", tmp_path / "tmp/build-alive"
    for folder in (dead, alive):
        (folder / "release").mkdir(parents=True)
    with atomic_files.locked(alive):
        build(write(tmp_path / "p", guns(ROWS)), tmp_path)
        assert left(tmp_path) == [alive]


def test_a_withdrawn_version_is_not_built_again(tmp_path: Path) -> None:
    source = package(tmp_path / "p", TWO)
    (tmp_path / "store").mkdir()
    gone = [release_index.Entry("1.0.0", "0" * 64, "2026-03-01T10:00:00Z", "wrong unit")]
    (tmp_path / "store" / RELEASE_INDEX).write_bytes(release_index.dump(gone))
    build(source, tmp_path / "store")
    assert whole(tmp_path / "store") == ["1.1.0"]
    with pytest.raises(BuildError, match=r"withdrawn \(wrong unit\)"):
        build(source / "history/1.0.0", tmp_path / "store")


def test_builds_at_the_same_time_publish_one_release(tmp_path: Path) -> None:
    source, root = package(tmp_path / "p", TWO), tmp_path / "store"
    arguments = [*COMMAND, "--package", str(source), "--store", str(root)]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(arguments, stdout=pipe, stderr=pipe, text=True) for _ in range(3)]
    outcomes = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outcomes
    assert whole(root) == ["1.0.0", "1.1.0"]
    assert left(root) == []


def test_a_table_that_has_not_changed_is_not_validated_again_for_the_next_version(tmp_path: Path) -> None:
    def remembered() -> dict[str, tuple[int, int]]:
        found = {path.name: path.stat() for path in (tmp_path / "store" / "tmp" / "validated").iterdir()}
        return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in found.items()}

    build(write(tmp_path / "p", guns(ROWS), version="1.0.0", created="2026-01-01T00:00:00Z"), tmp_path / "store")
    first = remembered()
    assert len(first) == 1
    later = {"version": "1.1.0", "created": "2026-02-01T00:00:00Z", "title": "Another title"}
    build(write(tmp_path / "q", guns(ROWS), **later), tmp_path / "store")
    assert remembered() == first  # one that is validated is remembered anew
