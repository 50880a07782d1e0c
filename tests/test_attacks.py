"""Every attack is refused or survived, with a message that says what happened, and the old copy stays as it was.

A real server stands behind a proxy that misbehaves; nothing is mocked.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import proxy
import pytest
from newsroom import VALUES, copy, origin, shown, states
from proxy import Proxy

from api.mirror.source import MirrorError
from api.trust import verify

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
    from newsroom import serving

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
    refuse(between, held, "alter|does not hold|not signed by the keys")


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
    between.mapped = lambda path: path.replace("/releases/1.1.0/", "/releases/1.0.0/")
    refuse(between, held, r"releases/1\.1\.0/.*(altered|declares)")


def test_a_manifest_in_place_of_another_is_refused(between: Proxy, held: Path, states: Path) -> None:
    [other] = (states / "two" / "tuf" / "targets" / "releases" / "1.0.0").iterdir()
    between.play(r"/1\.1\.0/.*manifest\.json", proxy.replaced(other.read_bytes()))
    refuse(between, held, "altered: it is not what was signed")


@pytest.mark.parametrize("difference", [-1, -100, 1, 100])
@pytest.mark.parametrize("place", [META["timestamp"], META["manifest"], FILE], ids=["timestamp", "manifest", "data"])
def test_a_wrong_content_length_is_refused(between: Proxy, held: Path, place: str, difference: int) -> None:
    between.play(place, proxy.false_length(difference))
    refuse(between, held, "declares|broke|alter|does not hold|larger")


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
    assert copy(between.url, held).added == ("1.1.0",)
    assert verify(held).problems == []


@pytest.mark.parametrize("place", [*META.values(), FILE], ids=[*META, "data"])
def test_an_endless_file_is_refused(between: Proxy, held: Path, place: str) -> None:
    between.play(place, proxy.endless)
    refuse(between, held, r"larger than it may be \(\d+ bytes\)")
    assert between.sent < 10_000_000


@pytest.mark.parametrize("place", [META["timestamp"], META["manifest"], FILE], ids=["timestamp", "manifest", "data"])
def test_an_oversized_file_is_refused(between: Proxy, held: Path, place: str) -> None:
    between.play(place, proxy.altered(lambda body: body + b"x" * 2_000_000))
    refuse(between, held, "larger than it may be|declares")


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
    refuse(between, held, "too slow|no answer within", recovers=False, MIRROR_RETRIES=0)


def test_a_server_that_falls_silent_is_given_up(between: Proxy, held: Path) -> None:
    between.play(FILE, proxy.dripping(3, "body"))
    refuse(between, held, "nothing came for 1 seconds", recovers=False, MIRROR_RETRIES=0)


@pytest.mark.parametrize("place", [META["timestamp"], META["list"], FILE], ids=["timestamp", "list", "data"])
def test_an_encoding_that_was_not_asked_for_is_refused(between: Proxy, held: Path, place: str) -> None:
    between.play(place, proxy.replaced(b"\x1f\x8b\x08\x00no gzip at all", Content_Encoding="gzip"))
    refuse(between, held, "Content-Encoding gzip, which was not asked for", recovers=False)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418, 500, 503, 204, 304])
@pytest.mark.parametrize("place", [META["timestamp"], FILE], ids=["timestamp", "data"])
def test_an_answer_that_is_none_is_refused(between: Proxy, held: Path, place: str, status: int) -> None:
    between.play(place, proxy.replaced(b"", status))
    refuse(between, held, f"status {status}", recovers=False, MIRROR_RETRIES=0)


def test_a_page_in_place_of_a_file_is_refused(between: Proxy, held: Path) -> None:
    between.play(".", proxy.replaced(b"<html>Please pay for your hotel room", Content_Type="text/html"))
    refuse(between, held, "is refused: its metadata does not hold")


def test_a_server_that_asks_for_a_pause_gets_it(between: Proxy, held: Path) -> None:
    between.play(FILE, proxy.replaced(b"", 429, Retry_After="1"), times=1)
    between.play(r"2\.targets\.json", proxy.replaced(b"", 503, Retry_After="Thu, 01 Jan 1970 00:00:00 GMT"), times=1)
    assert copy(between.url, held).added == ("1.1.0",)


def test_a_server_that_asks_for_too_long_a_pause_is_left(between: Proxy, held: Path) -> None:
    between.play(FILE, proxy.replaced(b"", 503, Retry_After="86400"))
    refuse(between, held, "status 503: come back in 86400 seconds", recovers=False)


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
