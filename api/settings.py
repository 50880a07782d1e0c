"""Every setting: name, default and meaning. Read from the environment, always with the prefix LANTERN_."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.model.errors import LanternError

PREFIX = "LANTERN_"


class SettingError(LanternError):
    """A setting whose value cannot be read."""


@dataclass(frozen=True)
class Setting:
    """One setting: how its text is read, its default as text, and what it means; no error shows a secret."""

    name: str
    default: str
    help: str
    read: Callable[[str], Any] = str
    secret: bool = False


def _count(text: str, least: int = 0) -> int:
    if not text.isdecimal() or int(text) < least:
        raise ValueError(f"must be a whole number of at least {least}")
    return int(text)


def _at_least_one(text: str) -> int:
    return _count(text, 1)


def _days(text: str) -> int:
    if _at_least_one(text) > 36_500:
        raise ValueError("must be a number of days up to 36500")
    return int(text)


def _rate(text: str) -> str:
    if text:
        from limits import parse_many  # with this setting only

        with suppress(ValueError):
            if [limit.amount > 0 for limit in parse_many(text)] == [True]:
                return text
        raise ValueError("must be a number of requests and a time, such as 120/minute or 5000/day")
    return text


def _storage(text: str) -> str:
    if text != "memory://":
        from limits.storage import RedisStorage

        if not text.startswith(("redis://", "rediss://", "redis+unix://")):
            raise ValueError("must be memory:// or begin with redis://, rediss:// or redis+unix://")
        RedisStorage(text)  # raises ValueError; it connects later
    return text


def _path(text: str) -> Path:
    return Path(text).expanduser()


def _line(text: str) -> str:
    if text and not (text.isascii() and text.isprintable()):
        raise ValueError("must be one line of printable ASCII")
    return text


def _folder(text: str) -> Path:
    path = _path(text)
    there = next((one for one in (path, *path.parents) if os.path.lexists(one)), path)
    if os.path.lexists(there) and not os.path.isdir(there):
        raise ValueError(f"{there} is no folder")
    return path


def _folder_if_any(text: str) -> str:
    return text and str(_folder(text))


def _url(text: str) -> str:
    if text and not text.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return text.rstrip("/")


def _one_of(*values: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in values:
            raise ValueError(f"must be one of {', '.join(value or '(empty)' for value in values)}")
        return text

    return read


def _listener(text: str) -> tuple[str, int] | Path | str:
    """A host and port, or a path; "" for none."""
    if text.startswith("unix:") and text != "unix:":
        return Path(text.removeprefix("unix:"))
    host, colon, port = text.rpartition(":")
    if text and not (host and port.isascii() and port.isdecimal() and int(port) < 2**16):
        raise ValueError("must be a host and a port (127.0.0.1:9100) or the path of a socket (unix:/run/lantern.sock)")
    return (host.strip("[]"), int(port)) if text else ""


SETTINGS = (
    Setting(
        "PACKAGE",
        "datapackage/",
        "data package to validate, build and serve (if it is not there: the working directory, if that is one)",
        _path,
    ),
    Setting("STORE", "var/store", "folder of the releases", _folder),
    Setting("INDEX", "", "folder of the indexes that servers ask (empty: `index` in the store)", _folder_if_any),
    Setting("BASE_URL", "", "public base URL of links (empty: links without a host)", _url),
    Setting("PROXIES", "0", "proxies in front, whose X-Forwarded-For, -Host, -Proto and -Prefix are believed", _count),
    Setting("HOST", "127.0.0.1", "address the server listens on"),
    Setting("WORKERS", "2", "server processes", _at_least_one),
    Setting("THREADS", "16", "threads in each server process", _at_least_one),
    Setting("CACHE_MB", "64", "memory for cached responses in each process, in MiB (0: no cache)", _count),
    Setting("TIME_LIMIT", "10", "query timeout in seconds (503 when exceeded; 0: none)", _count),
    Setting(
        "RATE_LIMIT", "", "requests that a client may make in a time, such as 120/minute (empty: any number)", _rate
    ),
    Setting(
        "RATE_STORAGE", "memory://", "where they are counted: each process by itself, or redis://HOST:PORT", _storage
    ),
    Setting("SEND_RATE", "10240", "bytes a second that a client must take of a response (0: any)", _count),
    Setting("LOG", "plain", "form of the log of lantern serve, on stderr: plain or json", _one_of("plain", "json")),
    Setting(
        "ACCESS_LOG",
        "",
        "access log of lantern serve, on stdout: json or common (empty: none)",
        _one_of("", "json", "common"),
    ),
    Setting(
        "ACCESS_LOG_ADDRESSES",
        "0",
        "whether logs hold the addresses of readers (1) or not (0)",
        lambda text: _one_of("0", "1")(text) == "1",
    ),
    Setting(
        "METRICS", "", "where lantern serve answers Prometheus: HOST:PORT or unix:PATH (empty: nowhere)", _listener
    ),
    Setting("KEYS", "", "folder of the signing keys (empty: `keys` beside the store)", _folder_if_any),
    Setting("KEYS_PASSPHRASE", "", "passphrase of the signing keys (empty: prompted for when needed)"),
    Setting("ROOT_DAYS", "730", "days until the signed root expires (renewed with the offline key)", _days),
    Setting("TARGETS_DAYS", "365", "days until the signed list of releases expires", _days),
    Setting("SNAPSHOT_DAYS", "60", "days until the snapshot expires (renewed by lantern sign --refresh)", _days),
    Setting("TIMESTAMP_DAYS", "14", "days until the timestamp expires (renewed by lantern sign --refresh)", _days),
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
    Setting("MIRROR_PROXY", "", "proxy of lantern mirror, such as http://proxy.example:3128 (empty: none)", _url, True),
    Setting("MIRROR_CA", "", "file of the only authorities lantern mirror trusts (PEM; empty: those of the system)"),
    Setting("MIRROR_AUTHORIZATION", "", "Authorization header of lantern mirror, for the first URL only", _line, True),
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
        shown = "" if setting.secret else f"={text!r}"
        raise SettingError(f"{PREFIX}{name}{shown}: {error}") from error
