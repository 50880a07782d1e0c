"""nginx in front of a server, with the sample of this repository."""

import getpass
import shutil
from pathlib import Path

from bench.places import ROOT
from bench.processes import Server, free_port

SAMPLE = ROOT / "deploy" / "proxy" / "nginx.conf"
HOST = "data.example.org"  # of the sample
MANY = (("rate=20r/s", "rate=10000r/s"), ("lantern_connections 20;", "lantern_connections 500;"))  # all of one address


def nginx(folder: Path, behind: int) -> Server:
    """nginx before a server on that port; its limits for each client are raised, since all clients are one here."""
    place, port = folder / "nginx", free_port()
    place.mkdir()
    changes = [
        ("listen 80", f"listen 127.0.0.1:{port}"),
        ("127.0.0.1:8000", f"127.0.0.1:{behind}"),
        ("/var/cache/nginx/lantern", str(place / "cache")),
        ("/run/nginx.pid", str(place / "pid")),
        ("user www-data;", f"user {getpass.getuser()};"),
        (f"server_name {HOST};", f"server_name {HOST} 127.0.0.1;"),
        *MANY,
    ]
    text = SAMPLE.read_text()
    for old, new in changes:
        if old not in text:
            raise RuntimeError(f"{SAMPLE.name} has no {old!r}")
        text = text.replace(old, new)
    places = "".join(
        f"{name}_temp_path {place}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (place / "nginx.conf").write_text(text.replace("http {", f"http {{ {places}", 1))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    argv = [program, "-p", str(place), "-c", str(place / "nginx.conf"), "-e", "stderr", "-g", "daemon off;"]
    return Server("nginx", argv, "/healthz", port=port)
