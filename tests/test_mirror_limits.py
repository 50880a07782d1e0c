"""What is read whole has a limit, and JSON without end is refused in words: signed or not, it costs no memory."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import proxy
import pytest
from newsroom import ROOT, copy, origin, own_store, serving, shown, states
from tuf.api.metadata import TargetFile

from api.mirror.upstream import MirrorError
from api.store import manifest, release_index
from api.store.manifest import LARGEST
from api.trust import metadata, sign_store, verify
from api.trust.keys import keyring
from api.trust.sign import RoleSigner

__all__ = ["origin", "states"]
DEEP = b"[" * 200_000
LIST, MANIFEST = "releases.json", "releases/1.1.0/manifest.json"
LANTERN = [sys.executable, "-P", "-m", "api"]


def signed_as(store: Path, name: str, target: TargetFile) -> None:
    """Sign that the file of a name is another one."""
    root, state = metadata.newest_root(store), metadata.state(store)
    assert root and state
    covered = {**state.targets.signed.targets, name: target}
    RoleSigner(store, keyring(store), root.signed, datetime.now(UTC), print)._sign(covered)


@pytest.fixture
def held(origin: str, tmp_path: Path) -> Path:
    copy(origin, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.parametrize("name", [LIST, MANIFEST])
def test_an_endless_file_that_is_signed_is_not_read(states: Path, tmp_path: Path, held: Path, name: str) -> None:
    store = own_store(states, tmp_path / "own")
    target = TargetFile.from_data(name, (store / name).read_bytes(), ["sha256"])
    signed_as(store, name, TargetFile(10**13, {"sha256": "0" * 64}, name))
    if name == MANIFEST:
        listed = (store / LIST).read_bytes().replace(target.hashes["sha256"].encode(), b"0" * 64)
        assert listed != (store / LIST).read_bytes()
        signed_as(store, LIST, TargetFile.from_data(LIST, listed, ["sha256"]))
        place = metadata.target_path(store, LIST, metadata.fingerprint(listed))
        place.write_bytes(listed)
    before = shown(held)
    with serving(store, tmp_path / "log") as url, proxy.between(url) as between:
        between.play("0000", proxy.endless)
        with pytest.raises(MirrorError, match=rf"{name}: has {10**13} bytes by its signature: at most {LARGEST} are"):
            copy(between.url, held)
        assert between.sent < 200_000 and not [path for path in between.paths() if "0000" in path]
    assert shown(held) == before


def test_a_list_and_a_manifest_beyond_the_limit_are_refused_by_everybody(states: Path, tmp_path: Path) -> None:
    with pytest.raises(manifest.BadManifest, match=f"the manifest has {LARGEST + 1} bytes: at most {LARGEST} are read"):
        manifest.read(b" " * (LARGEST + 1))
    with pytest.raises(release_index.BadList, match=f"has {LARGEST + 1} bytes: at most {LARGEST} are read"):
        release_index.read(b" " * (LARGEST + 1))
    store = own_store(states, tmp_path, "one")
    shutil.copytree(store / "releases/1.0.0", store / "releases/1.1.0")
    with (store / MANIFEST).open("ab") as file:
        file.write(b" " * LARGEST)
    run = subprocess.run([*LANTERN, "sign", "--store", str(store)], cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, f"at most {LARGEST} are read" in run.stderr) == (1, True), run.stderr
    shutil.rmtree(store / "releases/1.1.0")
    sign_store(store)


@pytest.mark.parametrize("name", ["2.root.json", "timestamp.json", "2.snapshot.json", "2.targets.json"])
def test_metadata_without_end_are_refused_in_words(
    states: Path, origin: str, tmp_path: Path, name: str, held: Path
) -> None:
    with proxy.between(origin) as between:
        between.play(name, proxy.replaced(DEEP))
        folder = held if name in ("2.root.json", "timestamp.json") else tmp_path / "new"
        with pytest.raises(MirrorError, match=r"is refused: .*(not valid|altered)|larger than the \d+ bytes allowed"):
            copy(between.url, folder)
    assert verify(held).problems == []


@pytest.mark.parametrize("name", [LIST, MANIFEST])
def test_signed_json_without_end_is_refused_in_words(states: Path, tmp_path: Path, held: Path, name: str) -> None:
    store = own_store(states, tmp_path / "own")
    target = TargetFile.from_data(name, DEEP, ["sha256"])
    if name == MANIFEST:
        was = manifest.digest(store / MANIFEST).encode()
        listed = (store / LIST).read_bytes().replace(was, target.hashes["sha256"].encode())
        signed_as(store, LIST, TargetFile.from_data(LIST, listed, ["sha256"]))
        metadata.target_path(store, LIST, metadata.fingerprint(listed)).write_bytes(listed)
    signed_as(store, name, target)
    metadata.target_path(store, name, target.hashes["sha256"]).write_bytes(DEEP)
    with serving(store, tmp_path / "log") as url:
        run = subprocess.run([*LANTERN, "mirror", url, str(held)], cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, "Traceback" in run.stderr) == (1, False), run.stderr
    assert "is refused: " in run.stderr and "nested too deeply" in run.stderr
    assert verify(held).problems == []


HERE = (
    *("tuf/1.root.json", "tuf/timestamp.json", "tuf/2.snapshot.json", "tuf/2.targets.json"),
    *("releases.json", MANIFEST, "releases/1.1.0/SHA256SUMS"),
)


@pytest.mark.parametrize("name", HERE)
def test_json_without_end_in_a_folder_is_a_finding_of_verify(origin: str, held: Path, name: str) -> None:
    (held / name).write_bytes(DEEP)
    [problem, *_] = verify(held).problems
    assert name.removeprefix("releases/1.1.0/") in problem or "metadata is not valid" in problem
    assert copy(origin, held).is_whole
    assert verify(held).problems == []
