"""A mirror that says that it is up to date passes `lantern verify` and can be served, whatever befell its folder."""

import contextlib
import multiprocessing
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import packages
import proxy
import pytest
from newsroom import BIG, ROOT, VALUES, copy, origin, own_store, released, serving, shown, states
from proxy import flipped

from api.app import create_app
from api.index import layout, making
from api.mirror.upstream import MirrorError
from api.store.releases import open_release
from api.trust import sign_store, verify

__all__ = ["origin", "states"]
ROWS = "/v1/datasets/things/records"
DATA = "releases/1.0.0/data/things.csv"
SMALL = 100_000  # bytes, less than either release has
LANTERN = [sys.executable, "-P", "-m", "api"]


@pytest.fixture(scope="session")
def whole(origin: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror of two releases. Nobody changes it."""
    folder = tmp_path_factory.mktemp("whole") / "copy"
    copy(origin, folder)
    return folder


@pytest.fixture
def held(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy", symlinks=True))


Damage = Callable[[Path], object]


def gone(name: str) -> Damage:
    """What a pattern finds is removed."""

    def spoil(folder: Path) -> None:
        found = list(folder.glob(name))
        assert found
        for path in found:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    return spoil


def holds(name: str, text: str = "") -> Damage:
    """A file has this text, whatever was there."""

    def spoil(folder: Path) -> None:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return spoil


def changed(name: str) -> Damage:
    """One bit is another one."""

    def spoil(folder: Path) -> None:
        [path] = folder.glob(name)
        path.write_bytes(flipped(path.read_bytes()))

    return spoil


def cut(name: str) -> Damage:
    """The second half is gone."""

    def spoil(folder: Path) -> None:
        [path] = folder.glob(name)
        os.truncate(path, path.stat().st_size // 2)

    return spoil


def folder_for_file(name: str) -> Damage:
    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return spoil


def linked(name: str) -> Damage:
    """What was there is elsewhere, and a link to it in its place."""

    def spoil(folder: Path) -> None:
        shutil.move(folder / name, folder.parent / "elsewhere")
        (folder / name).symlink_to(folder.parent / "elsewhere")

    return spoil


def closed(name: str, mode: int) -> Damage:
    return lambda folder: (folder / name).chmod(mode)


def foreign_release(folder: Path) -> None:
    shutil.copytree(folder / "releases/1.0.0", folder / "releases/9.9.9")


def half_copied(folder: Path) -> None:
    """A first copy that was interrupted, into which somebody put a release with a program that allowed it."""
    for name in ("mirror.json", "tuf", "releases.json", "releases/1.1.0"):
        gone(name)(folder)
    foreign_release(folder)


# What any run finds and mends.
FOUND: dict[str, Damage] = {
    "a manifest gone from the signed files": gone("tuf/targets/releases/1.1.0/*"),
    "the signed list gone": gone("tuf/targets/*.json"),
    "all metadata gone": gone("tuf"),
    "releases.json gone": gone("releases.json"),
    "mirror.json gone": gone("mirror.json"),
    "mirror.json half there": holds("mirror.json", '{"upstream": '),
    "a file gone": gone(DATA),
    "a file cut": cut(DATA),
    "a file empty": holds(DATA),
    "a file grown": lambda folder: holds(DATA, "x" * 10_000)(folder),
    "a release gone": gone("releases/1.0.0"),  # whose large file the other has, too
    "a manifest of a release gone": gone("releases/1.0.0/manifest.json"),
    "a manifest of a release that is JSON of something else": holds("releases/1.0.0/manifest.json", "{}"),
    "sums gone": gone("releases/1.0.0/SHA256SUMS"),
    "sums altered": changed("releases/1.0.0/SHA256SUMS"),
    "sums that are a folder": folder_for_file("releases/1.0.0/SHA256SUMS"),
    "a foreign file in a release": holds("releases/1.0.0/serving/evil.sqlite", "mine"),
    "a foreign link in a release": lambda folder: (folder / "releases/1.0.0/etc").symlink_to("/etc"),
    "a foreign release": foreign_release,
    "a foreign file among the releases": holds("releases/index.html", "mine"),
    "a foreign release among the withdrawn": lambda f: shutil.copytree(f / "releases/1.0.0", f / "withdrawn/0.9.0"),
    "foreign files among the metadata": holds("tuf/evil.html", "mine"),
    "a root before the first": holds("tuf/0.root.json", "{}"),
    "a root that follows the last": holds("tuf/2.root.json", "{}"),
    "a root far away": holds("tuf/99.root.json", "{}"),
    "a file that is a link": linked(DATA),
    "a folder that is a link": linked("releases/1.0.0/data"),
    "a file that only root reads": closed(DATA, 0o600),
    "a folder that only root opens": closed("releases/1.0.0/data", 0o700),
    "metadata that only root reads": closed("tuf/timestamp.json", 0o600),
    "a file that is a folder": folder_for_file(DATA),
    "a release that is a file": holds("releases/1.0.0"),
    "metadata that is a file": holds("tuf"),
    "a timestamp that is a folder": folder_for_file("tuf/timestamp.json"),
    "a releases.json that is a folder": folder_for_file("releases.json"),
    "a mirror.json that is a folder": folder_for_file("mirror.json"),
    "no index": gone("index"),
    "an index without its list": gone("index/*/1.1.0-*/index.json"),
    "an index without a file": gone("index/*/1.1.0-*/tables.sqlite"),
    "an index with half a file": cut("index/*/1.1.0-*/tables.sqlite"),
    "an index with a list that is none": lambda f: holds("index.json", "{")(next(f.glob("index/*/1.1.0-*"))),
    "what was seen of the upstream gone": gone("upstream"),
    "the pinned root gone": gone("upstream/pinned.root.json"),
    "the pinned root altered": changed("upstream/pinned.root.json"),
    "the roots that were seen gone": gone("upstream/root_history"),
    "a foreign root among those that were seen": holds("upstream/root_history/2.root.json", "{}"),
    "what was seen altered": changed("upstream/timestamp.json"),
    "half a first copy, and a release of somebody else": half_copied,
    **{
        f"a byte of {name} changed": changed(name)
        for name in (
            *("tuf/1.root.json", "tuf/root.json", "tuf/2.targets.json", "tuf/2.snapshot.json", "tuf/timestamp.json"),
            *("tuf/targets/*.releases.json", "tuf/targets/releases/1.0.0/*.json", "releases.json"),
            *("releases/1.0.0/manifest.json", "releases/1.0.0/datapackage.json"),
        )
    },
}
# What only --repair finds: the bytes of large files, which are read when a release is new, and then no more.
HIDDEN: dict[str, Damage] = {
    f"a byte of {name} changed": changed(name)
    for name in (
        *(DATA, f"releases/1.1.0/{BIG}", "releases/1.0.0/package.zip", "releases/1.1.0/package.sqlite"),
        *("releases/1.0.0/codebook.html", "releases/1.1.0/jsonl/things.jsonl", "index/*/1.1.0-*/tables.sqlite"),
    )
}
# Where a whole release, or a large file of one, must be fetched again.
LARGE = ("a release gone", "a release that is a file", "half a first copy", BIG, "package.zip")


def is_served(folder: Path) -> bool:
    """Whether both releases can be asked, and everything can be read by whoever serves it."""
    client = create_app(STORE=folder, BASE_URL="").test_client()
    paths = [path for part in ("releases", "tuf") for path in (folder / part).rglob("*")]
    assert len(paths) > 40
    closed = [path for path in paths if ~stat.S_IMODE(path.stat().st_mode) & (0o555 if path.is_dir() else 0o444)]
    answers = [client.get(f"{ROWS}?version={version}&id=7").status_code for version in ("1.0.0", "1.1.0")]
    return not closed and answers == [200, 200] and client.get("/readyz").get_json()["warnings"] == []


def has_indexes(folder: Path) -> bool:
    index = layout.folder(folder, "")
    return all(making.good(open_release(path, index)) for path in (folder / "releases").iterdir())


@pytest.mark.parametrize("what", FOUND)
def test_what_any_run_finds_is_mended_by_it(origin: str, states: Path, held: Path, what: str) -> None:
    before = shown(held)
    FOUND[what](held)
    with proxy.between(origin) as between:
        done = copy(between.url, held)
    assert (done.problems, dict(done.refused), done.is_whole) == ((), {}, True)
    assert verify(held).problems == []
    assert released(held) == released(states / "two")
    assert {**shown(held), "mirror.json": ""} == {**before, "mirror.json": ""}
    assert is_served(held) and has_indexes(held)
    assert not [path for path in between.paths() if BIG in path]
    assert done.fetched < SMALL or any(large in what for large in LARGE)
    again = copy(origin, held)
    assert (again.added, again.moved, again.fetched < 2_000) == ((), (), True)


@pytest.mark.parametrize("what", HIDDEN)
def test_a_byte_that_only_repair_finds_is_mended_by_it(origin: str, states: Path, held: Path, what: str) -> None:
    HIDDEN[what](held)
    assert verify(held).problems != [] or not has_indexes(held)
    done = copy(origin, held, repair=True)
    assert (done.problems, dict(done.refused)) == ((), {})
    assert verify(held).problems == []
    assert released(held) == released(states / "two")
    assert is_served(held) and has_indexes(held)
    assert done.fetched < SMALL or any(large in what for large in LARGE)


def test_everything_at_once_is_mended_by_repair(origin: str, states: Path, held: Path) -> None:
    apart = ("gone", "cut", "file", "folder", "link", "half", "none", "no index", "empty", "1.root", "grown", "far")
    for what, spoil in {**FOUND, **HIDDEN}.items():
        if not any(word in what for word in apart):
            spoil(held)
    done = copy(origin, held, repair=True)
    assert done.is_whole and verify(held).problems == []
    assert released(held) == released(states / "two")
    assert is_served(held) and has_indexes(held)


def test_what_the_publisher_did_not_sign_is_moved_and_not_removed(origin: str, held: Path) -> None:
    for name in ("releases/1.0.0/notes/mine.txt", "releases/9.9.9/mine.txt", "tuf/mine.txt"):
        holds(name, f"my {name}")(held)
    done = copy(origin, held)
    assert sorted(done.moved) == ["releases/1.0.0/notes/mine.txt", "releases/9.9.9", "tuf/mine.txt"]
    for name in ("releases/1.0.0/notes/mine.txt", "releases/9.9.9/mine.txt", "tuf/mine.txt"):
        assert (done.aside / name).read_text() == f"my {name}"
    assert done.aside.parent == held / "unsigned"


def copied_by_nobody(url: str, folder: Path) -> None:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    copy(url, folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_somebody_else_that_cannot_be_read_is_replaced(origin: str, whole: Path) -> None:
    """As after somebody ran the command once as root, with a strict umask."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        folder = Path(shutil.copytree(whole, Path(place) / "copy", symlinks=True))
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, 65534, 65534, follow_symlinks=False)
        os.chown(folder / DATA, 0, 0)
        (folder / DATA).chmod(0o600)
        process = multiprocessing.get_context("fork").Process(target=copied_by_nobody, args=(origin, folder))
        process.start()
        process.join(30)
        assert process.exitcode == 0
        assert verify(folder).problems == []
        assert stat.S_IMODE((folder / DATA).stat().st_mode) == 0o644 and (folder / DATA).stat().st_uid == 65534


def test_the_command_says_what_was_moved(origin: str, held: Path) -> None:
    holds("releases/9.9.9/mine.txt", "mine")(held)
    run = subprocess.run([*LANTERN, "mirror", origin, str(held)], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0
    [place] = (held / "unsigned").iterdir()
    assert run.stderr == f"not of the publisher, and moved to {place}: releases/9.9.9\n"


def test_a_seeded_store_is_read_once_and_not_fetched(origin: str, states: Path, tmp_path: Path) -> None:
    """What anyone does who has the releases on a disk already: cp -a of them alone."""
    folder = tmp_path / "copy"
    shutil.copytree(states / "two/releases", folder / "releases")
    done = copy(origin, folder)
    assert done.is_whole and done.fetched < 30_000
    assert verify(folder).problems == [] and is_served(folder)
    with serving(folder, tmp_path / "log") as url:
        assert copy(url, tmp_path / "second").is_whole


@pytest.mark.parametrize("interrupted", [False, True], ids=["at once", "after an interruption"])
def test_a_seed_that_is_not_what_was_signed_is_found(
    origin: str, states: Path, tmp_path: Path, interrupted: bool
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(states / "two/releases", folder / "releases")
    changed(DATA)(folder)
    if interrupted:
        with proxy.between(origin) as between:
            between.play("/1.0.0/data/things", proxy.cut_at("before"))
            with pytest.raises(MirrorError):
                copy(between.url, folder, values={**VALUES, "MIRROR_RETRIES": 0})
    assert copy(origin, folder).is_whole
    assert verify(folder).problems == []
    assert released(folder) == released(states / "two")


def test_what_was_seen_of_the_upstream_is_not_forgotten_with_its_folder(
    origin: str, states: Path, held: Path, tmp_path: Path
) -> None:
    """Else an older state, or another root, would be taken for the right one."""
    gone("upstream")(held)
    before = shown(held)
    with serving(states / "one", tmp_path / "log") as older, pytest.raises(MirrorError, match="rollback"):
        copy(older, held)
    stranger = own_store(states, tmp_path)
    for path in [stranger / "tuf", *(tmp_path / "keys").iterdir()]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    sign_store(stranger, lambda _: None)
    with serving(stranger, tmp_path / "log2") as other, pytest.raises(MirrorError, match="not signed by the keys"):
        copy(other, held)
    assert shown(held) == before
    assert copy(origin, held).is_whole


def test_trust_never_begins_anew_by_itself(origin: str, held: Path) -> None:
    """A damaged root that nothing vouches for is no reason to trust whoever answers."""
    changed("upstream/pinned.root.json")(held)
    gone("mirror.json")(held)
    with pytest.raises(MirrorError, match=r"pinned\.root\.json is damaged, .* name the root with --root or --finger"):
        copy(origin, held)
    (held / "upstream/pinned.root.json").unlink()
    assert copy(origin, held, root=(held / "tuf/1.root.json").read_bytes()).is_whole


def test_a_half_finished_first_copy_is_nobodys_store(origin: str, tmp_path: Path) -> None:
    """Neither build nor sign add anything to it, and the copy goes on afterwards."""
    folder = tmp_path / "copy"
    with proxy.between(origin) as between:
        between.play("/1.0.0/data/things", proxy.cut_at("before"))
        with contextlib.suppress(MirrorError):
            copy(between.url, folder, values={**VALUES, "MIRROR_RETRIES": 0})
    assert not (folder / "mirror.json").exists()
    package = packages.write(tmp_path / "package", packages.table("t", ["id"], [["a"]]), version="7.0.0")
    before = sorted(path for path in folder.rglob("*") if path.name != ".lock")
    for command in (["build", str(package), "--store"], ["sign", "--store"]):
        run = subprocess.run([*LANTERN, *command, str(folder)], cwd=ROOT, capture_output=True, text=True)
        assert (run.returncode, "mirror" in run.stderr, "Traceback" in run.stderr) == (1, True, False), run.stderr
        assert sorted(path for path in folder.rglob("*") if path.name != ".lock") == before
    assert not (tmp_path / "keys").exists()
    assert copy(origin, folder).is_whole
    assert verify(folder).problems == []
