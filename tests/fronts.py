"""The proxies of deploy/proxy in front of a server: the samples as they are, but for ports, folders and the host."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SAMPLES = Path(__file__).resolve().parents[1] / "deploy" / "proxy"
HOST = "data.example.org"
PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


def replaced(sample: str, *changes: tuple[str, str]) -> str:
    """A sample with changes, each of which is there to be made."""
    for old, new in changes:
        assert old in sample, f"the sample has no {old!r}"
        sample = sample.replace(old, new)
    return sample


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def nginx(folder: Path, port: int, behind: int, *changes: tuple[str, str]) -> list[str]:
    conf = replaced(
        (SAMPLES / "nginx.conf").read_text(),
        ("listen 80", f"listen 127.0.0.1:{port}"),
        ("127.0.0.1:8000", f"127.0.0.1:{behind}"),
        ("/var/cache/nginx/lantern", str(folder / "cache")),
        ("/run/nginx.pid", str(folder / "pid")),
        ("user www-data;", "user root;" if os.getuid() == 0 else ""),
        *changes,
    )
    places = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(conf.replace("http {", f"http {{ {places}", 1))
    return ["-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr", "-g", "daemon off;"]


def caddy(folder: Path, port: int, behind: int, *changes: tuple[str, str]) -> list[str]:
    conf = replaced(
        (SAMPLES / "Caddyfile").read_text(),
        (f"{HOST} {{", f"http://{HOST}:{port} {{\n\tbind 127.0.0.1"),
        ("\tservers {", "\tadmin off\n\tservers {"),
        ("127.0.0.1:8000", f"127.0.0.1:{behind}"),
        *changes,
    )
    (folder / "Caddyfile").write_text(conf)
    return ["run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


def varnishd(folder: Path, port: int, behind: int, *changes: tuple[str, str]) -> list[str]:
    sample = (SAMPLES / "varnish.vcl").read_text()
    vcl = replaced(sample, ('.port = "8000"', f'.port = "{behind}"'), *changes)
    (folder / "lantern.vcl").write_text(vcl)
    [told] = re.findall("-s malloc.*", sample)
    storage = told.replace("/var/lib/varnish/lantern", str(folder / "large")).replace("20g", "100m").split()
    work = Path("/tmp") / f"varnish-{port}"  # its sockets have long names
    return ["-F", "-j", "none", "-a", f"127.0.0.1:{port}", "-f", str(folder / "lantern.vcl"), "-n", str(work), *storage]


PROGRAMS: dict[str, Callable[..., list[str]]] = {"nginx": nginx, "caddy": caddy, "varnishd": varnishd}


@contextmanager
def front(name: str, folder: Path, server: str, *changes: tuple[str, str]) -> Iterator[int]:
    """The port of a proxy before a server (http://host:port), its sample changed so; skips where it is missing."""
    program = shutil.which(name, path=PLACES)
    if program is None:
        pytest.skip(f"{name} is not installed")
    folder.mkdir(parents=True)
    port = free_port()
    command = [program, *PROGRAMS[name](folder, port, int(server.rpartition(":")[2]), *changes)]
    environ = {**os.environ, "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=log, start_new_session=True)
    try:
        end = time.monotonic() + 30
        while time.monotonic() < end and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        else:
            raise RuntimeError(f"{name} did not start: {(folder / 'log').read_text(errors='replace')}")
        yield port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shutil.rmtree(f"/tmp/varnish-{port}", ignore_errors=True)
