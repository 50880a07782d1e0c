"""How a mirror reaches its upstream: by a proxy, a CA file, what opens a closed one; and which of several."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import crossing
import proxy
import pytest
from crossing import HOST, Certificates, certificates, files_of, forward
from newsroom import BIG, ROOT, VALUES, copy, origin, own_store, publish, serving, shown, sign_by_a_slow_clock, states

from api import mirror
from api.mirror.upstream import MirrorError
from api.trust import sign_store, verify

__all__ = ["origin", "states"]
LANTERN = [sys.executable, "-P", "-m", "api"]
SECRET = "Bearer not-for-everybody"
NOBODY = "http://127.0.0.1:9"
QUICK = {**VALUES, "MIRROR_RETRIES": 0}


def lantern(*arguments: object, **environ: str) -> "subprocess.CompletedProcess[str]":
    command = [*LANTERN, "mirror", *map(str, arguments)]
    values = {**os.environ, "LANTERN_MIRROR_RETRIES": "0", "LANTERN_MIRROR_TIMEOUT": "2", **environ}
    run = subprocess.run(command, cwd=ROOT, env=values, capture_output=True, text=True)
    assert "Traceback" not in run.stderr, run.stderr
    return run


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("tls") / "keys")


@pytest.fixture
def closed(states: Path, keys: Certificates) -> Iterator[crossing.Seen]:
    """A server over TLS that wants SECRET."""
    with files_of(states / "two", keys.server, opens=SECRET) as seen:
        yield seen


def test_http_goes_through_the_proxy_that_is_named(origin: str, tmp_path: Path) -> None:
    with forward(origin, password="me:with @ sign") as seen:
        through = seen.url.replace("//", "//me:with%20%40%20sign@")
        done = copy(f"http://{HOST}", tmp_path / "copy", values={**VALUES, "MIRROR_PROXY": through})
    assert done.is_whole and verify(tmp_path / "copy").problems == []
    assert len(seen.asked) > 10 and {path.split("/")[2] for path, _ in seen.asked} == {HOST}
    assert done.status.upstream == f"http://{HOST}"


def test_https_goes_through_a_tunnel_and_is_verified(states: Path, keys: Certificates, tmp_path: Path) -> None:
    with files_of(states / "two", keys.server, opens=SECRET) as server, forward(server.url, "me:secret") as seen:
        values = {
            "LANTERN_MIRROR_PROXY": seen.url.replace("//", "//me:secret@"),
            "LANTERN_MIRROR_CA": str(keys.authority),
            "LANTERN_MIRROR_AUTHORIZATION": SECRET,
        }
        run = lantern(f"https://{HOST}", tmp_path / "copy", **values)
        assert run.returncode == 0, run.stderr
        assert {path for path, _ in seen.asked} == {f"{HOST}:443"}
        assert seen.all("authorization") == {None}  # the tunnel is opened without it
        assert server.all("authorization") == {SECRET}
        assert server.all("proxy-authorization") == {None}
        run = lantern(f"https://{HOST}", tmp_path / "copy", **{**values, "LANTERN_MIRROR_PROXY": seen.url})
    assert run.returncode == 1 and "through LANTERN_MIRROR_PROXY" in run.stderr and "407" in run.stderr
    assert "secret" not in run.stderr + run.stdout


def test_a_proxy_that_is_not_there_is_named(origin: str, tmp_path: Path) -> None:
    run = lantern(origin, tmp_path / "copy", LANTERN_MIRROR_PROXY="http://me:secret@127.0.0.1:9")
    assert (run.returncode, "cannot be reached through LANTERN_MIRROR_PROXY" in run.stderr) == (1, True)
    assert "secret" not in run.stderr
    assert not (tmp_path / "copy/mirror.json").exists()


@pytest.mark.parametrize("value", ["me:secret@127.0.0.1:3128", "http://me:secret@[", "socks5://me:secret@127.0.0.1"])
def test_a_proxy_that_is_no_url_is_a_wrong_setting(origin: str, tmp_path: Path, value: str) -> None:
    run = lantern(origin, tmp_path / "copy", LANTERN_MIRROR_PROXY=value)
    assert (run.returncode, "LANTERN_MIRROR_PROXY" in run.stderr) == (2, True)
    assert "secret" not in run.stderr
    assert not (tmp_path / "copy").exists()


def test_a_certificate_of_ones_own_is_trusted_where_its_authority_is_named(
    states: Path, keys: Certificates, tmp_path: Path
) -> None:
    other = certificates(tmp_path / "other")
    with files_of(states / "two", keys.server) as server:
        assert copy(server.url, tmp_path / "copy", values={**VALUES, "MIRROR_CA": str(keys.authority)}).is_whole
        for name, authority in (("none", ""), ("other", str(other.authority))):
            with pytest.raises(MirrorError, match="cannot prove its identity"):
                copy(server.url, tmp_path / name, values={**QUICK, "MIRROR_CA": authority})


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_ca_file_that_is_none_is_a_wrong_setting(origin: str, tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    run = lantern(origin, tmp_path / "copy", LANTERN_MIRROR_CA=str(path))
    assert (run.returncode, f"LANTERN_MIRROR_CA='{path}' holds no certificates" in run.stderr) == (2, True), run.stderr
    assert not (tmp_path / "copy").exists()


def test_a_closed_server_is_opened_and_the_secret_is_told_to_nobody(
    closed: crossing.Seen, keys: Certificates, tmp_path: Path
) -> None:
    values = {"LANTERN_MIRROR_CA": str(keys.authority)}
    run = lantern(closed.url, tmp_path / "copy", **values)
    assert run.returncode == 1 and "status 401" in run.stderr
    run = lantern(closed.url, tmp_path / "copy", "--json", **values, LANTERN_MIRROR_AUTHORIZATION=SECRET)
    assert (run.returncode, json.loads(run.stdout)["up_to_date"]) == (0, True)
    assert SECRET not in run.stdout + run.stderr
    assert not [p for p in (tmp_path / "copy").rglob("*.json") if SECRET.encode() in p.read_bytes()]
    again = lantern(closed.url, tmp_path / "copy", **values, LANTERN_MIRROR_AUTHORIZATION=f"{SECRET}\r\nX-More: 1")
    assert (again.returncode, "one line of printable ASCII" in again.stderr, "Bearer" in again.stderr) == (
        2,
        True,
        False,
    )


def test_the_secret_follows_no_redirect_and_is_not_for_the_next_upstream(states: Path, tmp_path: Path) -> None:
    values = {**QUICK, "MIRROR_AUTHORIZATION": SECRET}
    with files_of(states / "two") as other, files_of(states / "two", leads=other.url) as first:
        with pytest.raises(MirrorError, match="another server; refused"):
            copy(first.url, tmp_path / "copy", values=values)
        assert (first.all("authorization"), other.asked) == ({SECRET}, [])
        assert copy([first.url, other.url], tmp_path / "copy", values=values).is_whole
        assert other.all("authorization") == {None}


def test_the_secret_is_not_sent_in_the_clear(tmp_path: Path) -> None:
    for url, through in ((f"http://{HOST}", ""), ("http://127.0.0.1:9", "http://127.0.0.1:9")):
        run = lantern(url, tmp_path / "copy", LANTERN_MIRROR_AUTHORIZATION=SECRET, LANTERN_MIRROR_PROXY=through)
        assert (run.returncode, "is not sent over http" in run.stderr) == (2, True), run.stderr
        assert not (tmp_path / "copy").exists()


def test_the_next_upstream_is_tried_where_one_cannot_be_reached(origin: str, states: Path, tmp_path: Path) -> None:
    run = lantern(NOBODY, origin, tmp_path / "copy")
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(f"{tmp_path / 'copy'} is up to date with {origin}: 1.1.0, 1.0.0; ")
    assert f"{NOBODY} was left: {NOBODY} cannot be reached" in run.stderr
    found = mirror.status(tmp_path / "copy")
    assert found and (found.upstream, found.synced_from) == (NOBODY, origin)
    assert verify(tmp_path / "copy").problems == []


def stranger(folder: Path, states: Path) -> Path:
    """The same releases under somebody else's keys."""
    shutil.copytree(states / "two/releases", folder / "releases")
    sign_store(folder, lambda _: None)
    return folder


def expired(folder: Path, states: Path) -> Path:
    store = own_store(states, folder)
    sign_by_a_slow_clock(store, days=15)
    return store


@pytest.mark.parametrize(("other", "why"), [(stranger, "not signed by the keys"), (expired, "has expired")])
def test_the_next_upstream_is_tried_where_one_is_refused(
    states: Path, origin: str, tmp_path: Path, other: Any, why: str
) -> None:
    folder = tmp_path / "copy"
    with serving(states / "one", tmp_path / "log") as first:
        copy(first, folder)
    with serving(other(tmp_path / "other", states), tmp_path / "log2") as url:
        done = copy([url, origin], folder)
    assert (done.is_whole, done.added, [*done.failed]) == (True, ("1.1.0",), [url])
    assert why in done.failed[url]
    assert verify(folder).problems == []


def test_the_next_upstream_goes_on_where_one_is_altered(states: Path, origin: str, tmp_path: Path) -> None:
    with proxy.between(origin) as between, proxy.between(origin) as second:
        between.play("/1.0.0/data/things", proxy.altered(proxy.flipped))
        done = copy([between.url, second.url], tmp_path / "copy")
    assert done.is_whole and "altered" in done.failed[between.url]
    assert [path for path in between.paths() if BIG in path]
    assert not [path for path in second.paths() if BIG in path]


def test_a_staler_upstream_is_a_rollback_and_what_is_held_stays(states: Path, origin: str, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    copy(origin, folder)
    before = shown(folder)
    with serving(states / "one", tmp_path / "log") as older:
        run = lantern(NOBODY, older, folder)
        assert run.returncode == 1 and run.stdout == ""
        first, second = run.stderr.splitlines()
        assert first.startswith(f"{NOBODY}: {NOBODY} cannot be reached")
        assert second.startswith(f"{older}: {older} is refused: it serves an older state") and "rollback" in second
        assert shown(folder) == before
        assert copy([older, origin], folder).status.synced_from == origin
    assert verify(folder).problems == []


def test_trust_begins_with_the_first_that_answers_and_holds_for_all(states: Path, origin: str, tmp_path: Path) -> None:
    told: list[str] = []
    with serving(stranger(tmp_path / "other", states), tmp_path / "log") as other:
        copy([NOBODY, origin, other], tmp_path / "copy", told=told, values=QUICK)
        assert told[0].startswith(f"Trusting {origin} on first use")
        with pytest.raises(MirrorError, match="not signed by the keys"):
            copy([other], tmp_path / "copy")


def test_what_is_no_address_is_refused_before_the_first_is_asked(origin: str, tmp_path: Path) -> None:
    with proxy.between(origin) as between:
        run = lantern(between.url, "ftp://127.0.0.1/", tmp_path / "copy")
        assert (run.returncode, between.asked) == (1, [])
    assert "'ftp://127.0.0.1/' is not a URL of a server" in run.stderr
    assert not (tmp_path / "copy").exists()


def test_an_update_comes_from_whoever_has_it(states: Path, tmp_path: Path) -> None:
    store, folder = own_store(states, tmp_path, "one"), tmp_path / "copy"
    with serving(store, tmp_path / "log") as url:
        copy(url, folder)
        publish(states, store, "1.1.0")
        done = copy([NOBODY, url], folder, values=QUICK)
    assert (done.added, done.status.upstream, done.status.synced_from) == (("1.1.0",), NOBODY, url)
