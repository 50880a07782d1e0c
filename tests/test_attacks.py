"""Every attack is refused or survived, with a message that says what happened, and the old copy stays as it was.

A real server stands behind a proxy that misbehaves; nothing is mocked.
"""

import os
import re
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import proxy
import pytest
from newsroom import ROOT, VALUES, copy, origin, own_store, serving, shown, sign_by_a_slow_clock, states
from proxy import Proxy

from api.mirror.upstream import MirrorError
from api.store import manifest, release_index
from api.store.manifest import dump
from api.trust import TrustError, metadata, sign_store, verify
from api.trust.keys import keyring
from api.trust.sign import RoleSigner

__all__ = ["origin", "states"]


@pytest.fixture
def between(origin: str) -> Iterator[Proxy]:
    """A proxy before the origin."""
    with proxy.between(origin) as found:
        yield found


@pytest.fixture(scope="session")
def copies(states: Path, origin: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Mirrors of the origin's first and second state: one and two. Nobody changes them."""
    folder = tmp_path_factory.mktemp("copies")
    with serving(states / "one", folder / "log") as first:
        copy(first, folder / "one")
    copy(origin, folder / "two")
    return folder


@pytest.fixture
def held(copies: Path, tmp_path: Path) -> Path:
    """A mirror that has the first release; its upstream has two by now."""
    return Path(shutil.copytree(copies / "one", tmp_path / "copy", symlinks=True))


def refuse(between: Proxy, folder: Path, message: str, recovers: bool = True, **values: int) -> None:
    """The copy fails with a message that says this, nothing shown has changed, and afterwards all is well."""
    before = shown(folder)
    with pytest.raises(MirrorError, match=message):
        copy(between.url, folder, values={**VALUES, **values})
    assert shown(folder) == before
    assert verify(folder).problems == []
    if recovers:
        between.forget()
        assert copy(between.url, folder).status.upstream_version == "1.1.0"
        assert verify(folder).problems == []


META = {
    "timestamp": r"timestamp\.json",
    "snapshot": r"2\.snapshot\.json",
    "targets": r"2\.targets\.json",
    "list": r"releases\.json",
    "manifest": r"manifest\.json",
}
FILE = r"/1\.1\.0/data/things\.csv"


@pytest.mark.parametrize("place", [*META.values(), FILE, r"package\.sqlite"], ids=[*META, "data", "database"])
def test_an_altered_byte_is_refused(between: Proxy, held: Path, place: str) -> None:
    between.play(place, proxy.altered(proxy.flipped))
    refuse(between, held, "alter|is not valid|not signed by the keys")


def test_one_altered_answer_of_a_resumed_file_is_fetched_again(between: Proxy, held: Path) -> None:
    between.play(FILE, proxy.cut_at("middle"), times=2)
    with pytest.raises(MirrorError):
        copy(between.url, held)
    for part in (held / "tmp" / "mirror" / "parts").glob("*.part"):
        part.write_bytes(proxy.flipped(part.read_bytes() or b"spoilt"))
    between.forget()
    copy(between.url, held)
    assert verify(held).problems == []


def test_swapped_releases_are_refused(between: Proxy, held: Path) -> None:
    between.mapped = lambda path: re.sub("^/releases/1.1.0/", "/releases/1.0.0/", path)
    refuse(between, held, r"releases/1\.1\.0/.*(altered|declares)")


def test_a_manifest_in_place_of_another_is_refused(between: Proxy, held: Path, states: Path) -> None:
    [other] = (states / "two" / "tuf" / "targets" / "releases" / "1.0.0").iterdir()
    between.play(r"/1\.1\.0/.*manifest\.json", proxy.replaced(other.read_bytes()))
    refuse(between, held, "altered: it is not what was signed")


@pytest.mark.parametrize("difference", [-1, -100, 1, 100])
@pytest.mark.parametrize("place", [META["timestamp"], META["manifest"], FILE], ids=["timestamp", "manifest", "data"])
def test_a_wrong_content_length_is_refused(between: Proxy, held: Path, place: str, difference: int) -> None:
    between.play(place, proxy.false_length(difference))
    refuse(between, held, "declares|broke|alter|is not valid|larger")


@pytest.mark.parametrize("phase", ["before", "head", "body", "middle", "end"])
@pytest.mark.parametrize("place", [*META.values(), FILE], ids=[*META, "data"])
def test_a_connection_cut_for_good_is_refused(between: Proxy, held: Path, place: str, phase: str) -> None:
    between.play(place, proxy.cut_at(phase))
    refuse(between, held, "broke", recovers=False, MIRROR_RETRIES=0)


@pytest.mark.parametrize("phase", ["before", "head", "body", "middle", "end"])
def test_connections_cut_once_each_are_survived(between: Proxy, held: Path, phase: str) -> None:
    for place in [r"2\.root\.json", *META.values(), FILE, r"package\.sqlite"]:
        between.play(place, proxy.cut_at(phase), times=1)
    between.refused = 1
    assert copy(between.url, held, values={**VALUES, "MIRROR_RETRIES": 2}).added == ("1.1.0",)
    assert verify(held).problems == []


@pytest.mark.parametrize("place", [*META.values(), FILE], ids=[*META, "data"])
def test_an_endless_file_is_refused(between: Proxy, held: Path, place: str) -> None:
    between.play(place, proxy.endless)
    refuse(between, held, r"larger than the \d+ bytes allowed")
    assert between.sent < 10_000_000


@pytest.mark.parametrize("place", [META["timestamp"], META["manifest"], FILE], ids=["timestamp", "manifest", "data"])
def test_an_oversized_file_is_refused(between: Proxy, held: Path, place: str) -> None:
    between.play(place, proxy.altered(lambda body: body + b"x" * 2_000_000))
    refuse(between, held, "bytes allowed|declares")


@pytest.mark.parametrize("place", [META["timestamp"], META["list"], FILE], ids=["timestamp", "list", "data"])
@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:9/x", "https://{here}/x", "//elsewhere.example/x", "http://[::1", ""]
)
def test_a_redirect_elsewhere_is_refused(between: Proxy, held: Path, place: str, target: str) -> None:
    location = target.format(here=between.url.removeprefix("http://"))
    between.play(place, proxy.replaced(b"", 302, Location=location))
    refuse(between, held, "redirected", recovers=False)


def test_a_redirect_on_the_same_server_is_followed(between: Proxy, held: Path) -> None:
    between.play(FILE + "$", proxy.replaced(b"", 301, Location="../data/things.csv"), times=1)
    assert copy(between.url, held).added == ("1.1.0",)


@pytest.mark.parametrize("within", ["head", "body"])
@pytest.mark.parametrize("place", [META["timestamp"], FILE], ids=["timestamp", "data"])
def test_a_server_that_drips_is_given_up(between: Proxy, held: Path, place: str, within: str) -> None:
    between.play(place, proxy.dripping(0.2, within))
    refuse(between, held, "too slow|no response within", recovers=False, MIRROR_RETRIES=0)


def test_a_server_that_falls_silent_is_given_up(between: Proxy, held: Path) -> None:
    between.play(FILE, proxy.dripping(3, "body"))
    refuse(between, held, "no data for 1 seconds", recovers=False, MIRROR_RETRIES=0)


@pytest.mark.parametrize("place", [META["timestamp"], META["list"], FILE], ids=["timestamp", "list", "data"])
def test_an_encoding_that_was_not_asked_for_is_refused(between: Proxy, held: Path, place: str) -> None:
    between.play(place, proxy.replaced(b"\x1f\x8b\x08\x00no gzip at all", Content_Encoding="gzip"))
    refuse(between, held, "Content-Encoding gzip, which was not requested", recovers=False)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418, 500, 503, 204, 304])
@pytest.mark.parametrize("place", [META["timestamp"], FILE], ids=["timestamp", "data"])
def test_an_answer_that_is_none_is_refused(between: Proxy, held: Path, place: str, status: int) -> None:
    between.play(place, proxy.replaced(b"", status))
    refuse(between, held, f"status {status}", recovers=False, MIRROR_RETRIES=0)


def test_a_page_in_place_of_a_file_is_refused(between: Proxy, held: Path) -> None:
    between.play(".", proxy.replaced(b"<html>Please pay for your hotel room", Content_Type="text/html"))
    refuse(between, held, "is refused: its metadata is not valid")


def test_a_server_that_asks_for_a_pause_gets_it(between: Proxy, held: Path) -> None:
    between.play(FILE, proxy.replaced(b"", 429, Retry_After="1"), times=1)
    between.play(r"2\.targets\.json", proxy.replaced(b"", 503, Retry_After="Thu, 01 Jan 1970 00:00:00 GMT"), times=1)
    assert copy(between.url, held).added == ("1.1.0",)


def test_a_server_that_asks_for_too_long_a_pause_is_left(between: Proxy, held: Path) -> None:
    between.play(FILE, proxy.replaced(b"", 503, Retry_After="86400"))
    refuse(between, held, "status 503: try again in 86400 seconds", recovers=False)


def test_an_older_state_is_refused(between: Proxy, copies: Path, states: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(copies / "two", tmp_path / "copy", symlinks=True))
    between.play(r"timestamp\.json", proxy.replaced((states / "one" / "tuf" / "timestamp.json").read_bytes()))
    refuse(between, folder, "an older state than the one seen before, a rollback")


def test_an_older_state_is_refused_also_before_the_newer_one_was_copied(
    between: Proxy, held: Path, states: Path
) -> None:
    between.play(FILE, proxy.cut_at("middle"))
    refuse(between, held, "broke", recovers=False, MIRROR_RETRIES=0)
    between.play(r"timestamp\.json", proxy.replaced((states / "one" / "tuf" / "timestamp.json").read_bytes()))
    refuse(between, held, "a rollback")


def test_parts_of_different_states_are_refused(between: Proxy, held: Path, states: Path) -> None:
    old = states / "one" / "tuf"
    between.play(r"2\.snapshot\.json", proxy.replaced((old / "1.snapshot.json").read_bytes()))
    between.play(r"2\.targets\.json", proxy.replaced((old / "1.targets.json").read_bytes()))
    refuse(between, held, "altered, or changed while it was read")


def test_a_frozen_state_is_refused(between: Proxy, held: Path, states: Path, tmp_path: Path) -> None:
    store = own_store(states, tmp_path)
    sign_by_a_slow_clock(store, days=15)
    between.play(r"timestamp\.json", proxy.replaced((store / "tuf" / "timestamp.json").read_bytes()))
    refuse(between, held, "has expired.*withholding a newer one .timestamp.json is expired", recovers=False)


def test_the_signature_of_somebody_else_is_refused(between: Proxy, held: Path, states: Path, tmp_path: Path) -> None:
    shutil.copytree(states / "two" / "releases", tmp_path / "store" / "releases")
    sign_store(tmp_path / "store", lambda _: None)
    for path in (tmp_path / "store" / "tuf").glob("*.json"):
        between.play(rf"/tuf/{re.escape(path.name)}", proxy.replaced(path.read_bytes()))
    refuse(between, held, "not signed by the keys that are trusted here")


def test_a_root_of_somebody_else_is_refused(between: Proxy, held: Path, states: Path, tmp_path: Path) -> None:
    shutil.copytree(states / "two" / "releases", tmp_path / "store" / "releases")
    sign_store(tmp_path / "store", lambda _: None)
    other = metadata.newest_root(tmp_path / "store")
    assert other
    other.signed.version = 2
    for signer in keyring(tmp_path / "store").signers(other.signed, "root"):
        other.sign(signer)
    between.play(r"/2\.root\.json", proxy.replaced(other.to_bytes()))
    refuse(between, held, "not signed by the keys that are trusted here")


@pytest.mark.parametrize("place", ["root", "timestamp", "list", "manifest", "data"])
def test_a_first_copy_that_fails_shows_nothing(between: Proxy, tmp_path: Path, place: str) -> None:
    pattern = {"root": r"1\.root\.json", "data": FILE, **META}[place]
    between.play(pattern, proxy.altered(proxy.flipped))
    with pytest.raises(MirrorError):
        copy(between.url, tmp_path / "copy")
    assert [path for path in shown(tmp_path / "copy") if "1.1.0" in path or not path.startswith("releases/")] == []
    with pytest.raises(TrustError, match="holds no signed releases"):
        verify(tmp_path / "copy")
    between.forget()
    assert copy(between.url, tmp_path / "copy").status.upstream_version == "1.1.0"
    assert verify(tmp_path / "copy").problems == []


@pytest.mark.parametrize("trusted", ["file", "fingerprint"])
def test_a_root_that_is_not_the_trusted_one_is_refused(between: Proxy, tmp_path: Path, trusted: str) -> None:
    sign_store(tmp_path / "other", lambda _: None)
    other = (tmp_path / "other" / "tuf" / "1.root.json").read_bytes()
    wish = {"root": other} if trusted == "file" else {"fingerprint": metadata.fingerprint(other)}
    with pytest.raises(MirrorError, match="no root with the fingerprint|not signed by the keys"):
        copy(between.url, tmp_path / "copy", **wish)
    assert shown(tmp_path / "copy") == {}
    copy(between.url, tmp_path / "copy")
    with pytest.raises(MirrorError, match="copy another store into another folder"):
        copy(between.url, tmp_path / "copy", **wish)


EVIL = [
    "../escaped",
    "/tmp/escaped",
    "data/../../escaped",
    "data/./x",
    "data//x",
    "data\\..\\x",
    "C:/x",
    "nul\0byte",
    "new\nline",
    "CON",
    "data/aux.csv",
    "data/lpt1",
    "dot.",
    "space ",
    ".hidden",
    "",
    "x" * 256,
    "/".join("x" * 100 for _ in range(11)),
    "manifest.json",
    "\u202egnp.exe",
    "\ud800",
]


@pytest.mark.parametrize("names", [[name] for name in EVIL] + [["a", "A"], ["é", "e\u0301"], ["a", "a/b"], ["a", "a"]])
def test_names_that_leave_the_folder_are_refused_even_when_signed(
    states: Path, tmp_path: Path, names: list[str]
) -> None:
    """The origin's keys are in wrong hands: what is signed may say anything."""
    store = own_store(states, tmp_path, "one")
    folder = Path(shutil.copytree(store / "releases" / "1.0.0", store / "releases" / "1.1.0"))
    said = {"version": "1.1.0", "previous": "1.0.0", "published_at": "2026-02-01T00:00:00Z", "change_kinds": []}
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    files = [{"path": name, "bytes": 0, "sha256": empty, "media_type": "text/plain"} for name in names]
    raw = dump({**said, "files": files}).encode("utf-8", "backslashreplace")
    with pytest.raises(manifest.BadManifest, match="the path|is a file and a folder"):
        manifest.read(raw)
    (folder / "manifest.json").write_bytes(raw)
    with pytest.raises(TrustError, match="release 1.1.0 cannot be signed: "):
        sign_store(store)


@pytest.mark.parametrize("place", ["manifest", "list"])
def test_evil_names_do_nothing_to_a_mirror(states: Path, tmp_path: Path, place: str, held: Path) -> None:
    store = own_store(states, tmp_path, "two")
    entries = release_index.of(store)
    path = store / "releases" / "1.1.0" / "manifest.json"
    if place == "manifest":
        path.write_text(path.read_text().replace("data/things.csv", "../../../escaped"))
        entries = (release_index.Entry("1.1.0", manifest.digest(path), entries[0].published_at), entries[1])
    else:
        entries = (release_index.Entry("../../escaped", entries[0].manifest, entries[0].published_at), entries[1])
        shutil.copytree(store / "releases" / "1.1.0", store / "releases" / "../../escaped")
    root = metadata.newest_root(store)
    assert root
    RoleSigner(store, keyring(store), root.signed, datetime.now(UTC), print).publish(entries)
    before = shown(held)
    with serving(store, tmp_path / "log") as url, pytest.raises(MirrorError, match="escapes its folder|a slash"):
        copy(url, held)
    assert shown(held) == before
    assert not list(tmp_path.glob("copy*/**/escaped"))


def test_two_mirrors_at_once_do_not_meet(between: Proxy, held: Path) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def waiting(answer: proxy.Answer, write: proxy.Write) -> None:
        reached.set()
        go_on.wait(20)
        proxy.honest(answer, write)

    between.play(r"timestamp\.json", waiting, times=1)
    first = subprocess.Popen([*LANTERN, "mirror", between.url, str(held)], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        assert reached.wait(20)
        with pytest.raises(
            MirrorError, match=f"another lantern process holds the lock: process {first.pid} is at work"
        ):
            copy(between.url, held)
    finally:
        go_on.set()
        assert first.wait(20) == 0
    assert copy(between.url, held).added == ()


LANTERN = [sys.executable, "-c", "from api.cli import main; main()"]


def test_a_full_disk_is_survived(between: Proxy, held: Path) -> None:
    """A limit on the size of files stands in for the disk where no file system can be mounted: the errors are alike."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))

    before = shown(held)
    run = subprocess.run(
        [*LANTERN, "mirror", between.url, str(held)], cwd=ROOT, preexec_fn=limited, capture_output=True, text=True
    )
    assert run.returncode == 1
    assert "the disk is full" in run.stderr and "it continues where it stopped" in run.stderr
    assert shown(held) == before
    assert copy(between.url, held).added == ("1.1.0",)
    assert verify(held).problems == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of six megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "lantern-test", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_fills_up_is_survived(between: Proxy, copies: Path, small_disk: Path) -> None:
    folder = Path(shutil.copytree(copies / "one", small_disk / "copy", symlinks=True))
    before, filler = shown(folder), small_disk / "filler"

    def filling(answer: proxy.Answer, write: proxy.Write) -> None:
        with filler.open("wb", buffering=0) as out:
            try:
                while out.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        proxy.honest(answer, write)

    between.play(FILE, filling, times=1)
    with pytest.raises(MirrorError, match=r"the disk is full \(\d+ bytes free"):
        copy(between.url, folder)
    assert shown(folder) == before
    filler.unlink()
    assert copy(between.url, folder).added == ("1.1.0",)
    assert verify(folder).problems == []


def test_a_disk_that_is_too_small_is_said_before(between: Proxy, copies: Path, small_disk: Path) -> None:
    folder = Path(shutil.copytree(copies / "one", small_disk / "copy", symlinks=True))
    before = shown(folder)
    size = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    (small_disk / "filler").write_bytes(b"x" * (size - 1_050_000))
    with pytest.raises(MirrorError, match=r"the disk is too small: \d+ bytes are needed, \d+ are free"):
        copy(between.url, folder)
    assert shown(folder) == before
    asked = between.paths()
    assert asked and not [path for path in asked if path.startswith("/releases/")]


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/", "127.0.0.1", "http://", "http://u:p@127.0.0.1/", "http://h/?q", "http://["]
)
def test_what_is_no_address_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(MirrorError, match="is not a URL of a server|must have no user"):
        copy(url, tmp_path / "copy")


def test_a_proxy_in_the_environment_is_not_used(origin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert copy(origin, tmp_path / "copy").added == ("1.1.0", "1.0.0")


def test_nothing_listens(held: Path) -> None:
    before = shown(held)
    with pytest.raises(MirrorError, match="cannot be reached"):
        copy("http://127.0.0.1:9", held)
    assert shown(held) == before


def test_a_store_of_its_own_is_not_overwritten(origin: str, states: Path, tmp_path: Path) -> None:
    store = own_store(states, tmp_path, "one")
    with pytest.raises(MirrorError, match="is an origin's store"):
        copy(origin, store)
