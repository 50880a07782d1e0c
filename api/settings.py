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


def _count(text: str, least: int = 0) -> int:
    if not text.isdecimal() or int(text) < least:
        raise ValueError(f"must be a whole number of at least {least}")
    return int(text)


def _at_least_one(text: str) -> int:
    return _count(text, 1)


def _path(text: str) -> Path:
    return Path(text).expanduser()


def _url(text: str) -> str:
    if text and not text.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return text.rstrip("/")


SETTINGS = (
    Setting(
        "PACKAGE",
        "datapackage/",
        "data package to validate, build and serve (if it is not there: the working directory, if that is one)",
        _path,
    ),
    Setting("STORE", "var/store", "folder of the releases", _path),
    Setting("INDEX", "", "folder of the indexes that servers ask (empty: `index` in the store)"),
    Setting("BASE_URL", "", "public base URL of links (empty: links without a host)", _url),
    Setting("HOST", "127.0.0.1", "address the server listens on"),
    Setting("WORKERS", "2", "server processes", _at_least_one),
    Setting("THREADS", "4", "threads in each server process", _at_least_one),
    Setting("CACHE_MB", "64", "memory for cached responses in each process, in MiB (0: no cache)", _count),
    Setting("TIME_LIMIT", "10", "query timeout in seconds (503 when exceeded; 0: none)", _count),
    Setting("SEND_RATE", "10240", "bytes a second that a client must take of a response (0: any)", _count),
    Setting("KEYS", "", "folder of the signing keys (empty: `keys` beside the store)"),
    Setting("KEYS_PASSPHRASE", "", "passphrase of the signing keys (empty: prompted for when needed)"),
    Setting("ROOT_DAYS", "730", "days until the signed root expires (renewed with the offline key)", _count),
    Setting("TARGETS_DAYS", "365", "days until the signed list of releases expires", _count),
    Setting("SNAPSHOT_DAYS", "60", "days until the snapshot expires (renewed by lantern sign --refresh)", _count),
    Setting("TIMESTAMP_DAYS", "14", "days until the timestamp expires (renewed by lantern sign --refresh)", _count),
    Setting("MAX_DESCRIPTOR_MB", "16", "largest descriptor or schema, in MiB (YAML: an eighth)", _at_least_one),
    Setting("MAX_RESOURCES", "5000", "most resources of a package", _at_least_one),
    Setting("MAX_FIELDS", "50000", "most fields of a package, of all tables together", _at_least_one),
    Setting("MAX_FILES", "100000", "most files of a package in a zip", _at_least_one),
    Setting("MAX_UNPACKED_MB", "16384", "most that a zip, or all tables, may unpack to, in MiB", _at_least_one),
    Setting("MAX_SHEET_MB", "1024", "most that a spreadsheet may unpack to, in MiB", _at_least_one),
    Setting(
        "MAX_PATTERN_SECONDS",
        "1",
        "most extra seconds of CPU for a table's slow patterns and JSON Schemas",
        _at_least_one,
    ),
    Setting("MAX_CHART_ROWS", "5000", "most rows of a chart", _at_least_one),
    Setting("MAX_CHART_SECONDS", "60", "most seconds that drawing a chart may take", _at_least_one),
    Setting("MAX_CHART_MB", "1024", "most memory that drawing a chart may take, in MiB", _at_least_one),
    Setting("MIRROR_CONNECTIONS", "4", "parallel connections of lantern mirror", _count),
    Setting("MIRROR_TIMEOUT", "30", "idle timeout of lantern mirror's connections in seconds", _count),
    Setting("MIRROR_RETRIES", "5", "retries of lantern mirror per failed request", _count),
    Setting("MIRROR_STALE_DAYS", "7", "days after its last sync until a mirror reports that it is stale", _count),
)


def load(environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """All settings by name. Raises SettingError that names the variable and what is wrong with it."""
    return {one.name: read(one.name, environ.get(PREFIX + one.name, one.default)) for one in SETTINGS}


def at_most(name: str, number: int, what: str) -> str:
    """What is expected where there is more than a setting allows; `number` is its value, in the unit of `what`."""
    return f"at most {number:,} {what}, unless {PREFIX}{name} says more"


def read(name: str, text: str) -> Any:
    """The value of one setting from its text; text itself for a name that is not a setting. Raises SettingError."""
    setting = next((one for one in SETTINGS if one.name == name), Setting(name, "", ""))
    try:
        return setting.read(text)
    except ValueError as error:
        raise SettingError(f"{PREFIX}{name}={text!r}: {error}") from error
