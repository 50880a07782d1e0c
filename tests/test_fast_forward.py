"""A stolen key of the timestamp signs a number that no honest one reaches for years: a new key lets mirrors go on."""

from pathlib import Path

import pytest
from newsroom import copy, own_store, publish, serving, states
from tuf.api.metadata import Metadata, Timestamp

from api.mirror.upstream import MirrorError
from api.trust import metadata, verify
from api.trust.keys import keyring
from api.trust.sign import rotate

__all__ = ["states"]


def test_a_fast_forwarded_mirror_goes_on_when_the_key_was_replaced(states: Path, tmp_path: Path) -> None:
    store, mirror = own_store(states, tmp_path, "one"), tmp_path / "mirror"
    path, root = store / "tuf" / "timestamp.json", metadata.newest_root(store)
    assert root is not None
    honest = path.read_bytes()
    stolen = Metadata[Timestamp].from_bytes(honest)
    stolen.signed.version = 1_000_000
    stolen.sign(keyring(store).needed(root.signed, "timestamp")[0])
    with serving(store, tmp_path / "log") as url:
        copy(url, mirror)
        path.write_bytes(stolen.to_bytes())
        copy(url, mirror)
        path.write_bytes(honest)
        with pytest.raises(MirrorError, match="1000000"):
            copy(url, mirror)
        rotate(store, ["timestamp"], keyring(store), lambda _: None)
        publish(states, store, "1.1.0")
        assert copy(url, mirror).added == ("1.1.0",)
    assert verify(mirror).problems == []
