"""Whom a mirror follows when the publisher has lost the keys: a root that was handed over, once it holds."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import proxy
import pytest
from newsroom import VALUES, copy, lantern, names, origin, own_store, released, serving, shown, states
from proxy import Proxy

from api.app import create_app
from api.mirror.upstream import MirrorError
from api.trust import metadata, rotate, sign_store, verify
from api.trust.keys import keyring

__all__ = ["origin", "states"]
ROWS = "/v1/datasets/things/records"


def without_keys(folder: Path, store: Path) -> Path:
    """The releases of a store, signed by new keys: its publisher has lost the old ones."""
    shutil.copytree(store / "releases", folder / "releases")
    sign_store(folder, lambda _: None)
    return folder


def first_root(store: Path) -> bytes:
    return (store / "tuf/1.root.json").read_bytes()


@pytest.fixture(scope="session")
def before_the_loss(origin: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror of the publisher who is about to lose the keys. Nobody changes it."""
    folder = tmp_path_factory.mktemp("before") / "copy"
    copy(origin, folder)
    return folder


@pytest.fixture
def held(before_the_loss: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(before_the_loss, tmp_path / "copy", symlinks=True))


@pytest.fixture(scope="session")
def renewed(states: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The store of the publisher with new keys, and its server. Nobody changes it."""
    folder = tmp_path_factory.mktemp("again")
    store = without_keys(folder / "store", states / "two")
    with serving(store, folder / "log") as url:
        yield store, url


@pytest.fixture
def again(renewed: tuple[Path, str]) -> Iterator[tuple[Path, Proxy]]:
    """The same with a proxy before it."""
    with proxy.between(renewed[1]) as between:
        yield renewed[0], between


def test_a_new_root_is_adopted_and_nothing_fetched_twice(
    origin: str, states: Path, held: Path, again: tuple[Path, Proxy], tmp_path: Path
) -> None:
    store, between = again
    file = tmp_path / "new.root.json"
    file.write_bytes(first_root(store))
    old, new = (metadata.fingerprint(first_root(place)) for place in (states / "two", store))
    before = shown(held)
    assert "not signed by the keys" in lantern("mirror", between.url, held).stderr
    assert shown(held) == before
    between.forget()
    run = lantern("mirror", between.url, held, "--new-root", file)
    assert run.returncode == 0, run.stderr
    assert f"{held} followed the root\n  {old}\nand follows from now on the root\n  {new}\n" in run.stderr
    assert not [path for path in between.paths() if path.startswith("/releases/")]
    assert verify(held, fingerprint=new, strict=True).problems == []
    assert verify(held).root == new
    assert released(held) == released(states / "two")
    [former] = (held / "former").iterdir()
    assert metadata.fingerprint((former / "upstream/pinned.root.json").read_bytes()) == old
    assert metadata.fingerprint(first_root(former)) == old
    assert names(held / "tuf") == [
        *("1.root.json", "1.snapshot.json", "1.targets.json", "2.snapshot.json", "2.targets.json"),
        *("root.json", "targets", "timestamp.json"),
    ]
    with pytest.raises(MirrorError, match="not signed by the keys"):
        copy(origin, held)
    assert copy(between.url, held).added == ()
    run = lantern("mirror", between.url, held, "--new-root", file)
    assert (run.returncode, run.stderr) == (0, "")
    assert len(names(held / "former")) == 1
    with serving(held, tmp_path / "log2") as url:
        assert copy(url, tmp_path / "second", fingerprint=new).is_whole


def test_all_that_is_served_is_of_the_new_root(states: Path, held: Path, tmp_path: Path) -> None:
    """Byte by byte: one that changed is found; what the new publisher does not know is moved away."""
    [table] = held.glob("releases/1.1.0/data/things.csv")
    table.write_bytes(proxy.flipped(table.read_bytes()))
    shutil.copytree(held / "releases/1.0.0", held / "withdrawn/0.9.0")
    store = without_keys(tmp_path / "again/store", states / "two")
    for path in (store / "tuf", keyring(store).folder, store / "releases/1.0.0"):
        shutil.rmtree(path)
    (store / "releases.json").unlink()
    sign_store(store)
    with serving(store, tmp_path / "log") as url:
        done = copy(url, held, new_root=first_root(store))
    assert (done.is_whole, done.added) == (True, ("1.1.0",))
    assert sorted(done.moved) == ["releases/1.0.0", "withdrawn/0.9.0"]
    assert (done.aside / "releases/1.0.0/manifest.json").exists()
    assert verify(held).problems == [] and verify(held).releases == ["1.1.0"]
    client = create_app(STORE=held, BASE_URL="").test_client()
    assert [client.get(f"{ROWS}?version={version}").status_code for version in ("1.1.0", "1.0.0", "0.9.0")] == [
        *(200, 404, 404)
    ]


def test_a_release_that_is_another_one_under_the_new_root_is_replaced_and_kept(
    states: Path, held: Path, tmp_path: Path
) -> None:
    store = tmp_path / "again/store"
    shutil.copytree(states / "two/releases/1.0.0", store / "releases/1.0.0")
    said = json.loads((store / "releases/1.0.0/manifest.json").read_bytes())
    said["made_with"] = {"another": "1"}
    (store / "releases/1.0.0/manifest.json").write_text(json.dumps(said))
    (store / "releases/1.0.0/SHA256SUMS").unlink()
    sign_store(store, lambda _: None)
    with serving(store, tmp_path / "log") as url:
        done = copy(url, held, new_root=first_root(store))
    assert (done.is_whole, done.added, done.fetched < 50_000) == (True, ("1.0.0",), True)
    assert "releases/1.0.0" in done.moved
    old = done.aside / "releases/1.0.0/manifest.json"
    assert old.read_bytes() == (states / "two/releases/1.0.0/manifest.json").read_bytes()
    assert verify(held).problems == []


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda raw: b"no root", "is not a root that its own keys signed"),
        (lambda raw: b"[" * 100_000, "is not a root that its own keys signed"),
        (lambda raw: raw.replace(b'"expires": "20', b'"expires": "21'), "is not a root that its own keys signed"),
        (lambda raw: raw + b" " * 600_000, "a root has at most 512000"),
    ],
    ids=["text", "json without end", "altered", "large"],
)
def test_what_is_no_root_is_not_adopted(
    held: Path, again: tuple[Path, Proxy], tmp_path: Path, spoil: Any, why: str
) -> None:
    store, between = again
    (tmp_path / "new.json").write_bytes(spoil(first_root(store)))
    before = shown(held)
    run = lantern("mirror", between.url, held, "--new-root", tmp_path / "new.json")
    assert (run.returncode, why in run.stderr, between.asked) == (1, True, [])
    assert shown(held) == before and not (held / "former").exists()


def test_the_old_root_holds_until_the_upstream_is_found_under_the_new(
    origin: str, held: Path, again: tuple[Path, Proxy]
) -> None:
    store, between = again
    before, root = shown(held), first_root(store)
    for url, why in (("http://127.0.0.1:9", "cannot be reached"), (origin, "not signed by the keys")):
        with pytest.raises(MirrorError, match=why):
            copy(url, held, new_root=root, values={**VALUES, "MIRROR_RETRIES": 0})
    between.play(r"1\.targets\.json", proxy.altered(proxy.flipped))
    with pytest.raises(MirrorError, match="altered"):
        copy(between.url, held, new_root=root)
    assert shown(held) == before and not (held / "former").exists()
    assert copy(origin, held).is_whole


@pytest.mark.parametrize("repeated", [True, False], ids=["the same command", "without the new root"])
def test_an_adoption_that_was_interrupted_goes_on(held: Path, again: tuple[Path, Proxy], repeated: bool) -> None:
    store, between = again
    (held / "releases/1.0.0/data/things.csv").unlink()
    between.play("/1.0.0/data/things", proxy.cut_at("before"))
    with pytest.raises(MirrorError):
        copy(between.url, held, new_root=first_root(store), values={**VALUES, "MIRROR_RETRIES": 0})
    between.forget()
    assert copy(between.url, held, new_root=first_root(store) if repeated else None).is_whole
    assert verify(held, fingerprint=metadata.fingerprint(first_root(store))).problems == []
    assert len(names(held / "former")) == 1


def test_a_later_root_of_the_same_publisher_needs_no_adoption(states: Path, tmp_path: Path) -> None:
    store, folder = own_store(states, tmp_path), tmp_path / "copy"
    with serving(store, tmp_path / "log") as url:
        copy(url, folder)
        rotate(store, ["root"], keyring(store))
        copy(url, folder)
        assert copy(url, folder, new_root=(store / "tuf/2.root.json").read_bytes()).is_whole
    assert not (folder / "former").exists() and verify(folder).root == metadata.fingerprint(first_root(store))


def test_a_folder_that_follows_nobody_adopts_nobody(again: tuple[Path, Proxy], tmp_path: Path) -> None:
    store, between = again
    with pytest.raises(MirrorError, match="follows no root yet: give the first one with --root"):
        copy(between.url, tmp_path / "new", new_root=first_root(store))
    assert between.asked == [] and not (tmp_path / "new/upstream").exists()
