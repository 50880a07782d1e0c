"""Every setting: name, default and meaning. Read from the environment, always with the prefix LANTERN_."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.model.errors import LanternError

PREFIX = "LANTERN_"


class SettingError(LanternError):
    """A setting whose value cannot be read."""


@dataclass(frozen=True)
class Setting:
    """One setting: how its text is read, its default as text, and what it means."""

    name: str
    default: str
    help: str
    read: Callable[[str], Any] = str


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError("must not be negative")
    return number


def _path(text: str) -> Path:
    return Path(text).expanduser()


def _url(text: str) -> str:
    if text and not text.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return text.rstrip("/")


SETTINGS = (
    Setting("PACKAGE", "datapackage/", "the data package to validate and build", _path),
    Setting("STORE", "var/store", "the folder that holds the releases", _path),
    Setting("BASE_URL", "", "public address put before the links in answers (empty: links without a host)", _url),
    Setting("HOST", "127.0.0.1", "address the server listens on"),
    Setting("WORKERS", "2", "server processes", _count),
    Setting("THREADS", "4", "threads in each server process", _count),
    Setting("CACHE_MB", "64", "finished answers kept in memory by each process, in MiB (0: none)", _count),
    Setting("TIME_LIMIT", "10", "seconds a query may take before it is given up with a 503", _count),
    Setting("KEYS", "", "the folder that holds the signing keys (empty: `keys` beside the store)"),
    Setting("KEYS_PASSPHRASE", "", "what the signing keys are encrypted with (empty: asked for where one is needed)"),
    Setting("ROOT_DAYS", "730", "days until the signed root must be renewed, with the offline key", _count),
    Setting("TARGETS_DAYS", "365", "days until the signed list of releases must be renewed", _count),
    Setting("SNAPSHOT_DAYS", "60", "days until the snapshot must be renewed (lantern sign --refresh)", _count),
    Setting("TIMESTAMP_DAYS", "14", "days until the timestamp must be renewed (lantern sign --refresh)", _count),
    Setting("MIRROR_CONNECTIONS", "4", "connections that lantern mirror opens at once", _count),
    Setting("MIRROR_TIMEOUT", "30", "seconds after which lantern mirror gives up a connection at rest", _count),
    Setting("MIRROR_RETRIES", "5", "times lantern mirror asks again for what failed", _count),
    Setting("MIRROR_STALE_DAYS", "7", "days after its last sync until a mirror says that it is stale", _count),
)


def load(environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """All settings by name. Raises SettingError that names the variable and what is wrong with it."""
    return {one.name: read(one.name, environ.get(PREFIX + one.name, one.default)) for one in SETTINGS}


def read(name: str, text: str) -> Any:
    """The value of one setting from its text. Raises SettingError."""
    setting = next(one for one in SETTINGS if one.name == name)
    try:
        return setting.read(text)
    except ValueError as error:
        raise SettingError(f"{PREFIX}{name}={text!r}: {error}") from error
