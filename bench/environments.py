"""The peers' own virtual environments: made once, each with what pip gives on that day."""

import subprocess
import sys
from pathlib import Path

from bench.places import WORK

# name → what pip installs into it
ENVIRONMENTS = {
    "datasette": ("datasette>=0.65,<0.66",),
    "roapi": ("roapi",),
    "fastapi": ("fastapi", "uvicorn", "httptools", "uvloop", "orjson"),
    "gevent": ("gevent",),
}
# These see the packages of the environment that Lantern runs in, too.
SHARING = ("gevent",)


class InstallError(Exception):
    """An environment that pip could not fill."""


def environment(name: str) -> Path:
    """The folder of programs of a peer's environment. Raises InstallError with pip's last words."""
    place = WORK / f"venv-{name}"
    done = place / "installed"
    wanted = "\n".join(ENVIRONMENTS[name])
    if done.is_file() and done.read_text() == wanted:
        return place / "bin"
    print(f"  installing {name}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    command = [place / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    ended = subprocess.run([*command, *ENVIRONMENTS[name]], capture_output=True, text=True, timeout=300)
    if ended.returncode:
        raise InstallError(" | ".join(ended.stderr.strip().splitlines()[-2:])[-400:])
    if name in SHARING:
        ours = next(Path(p) for p in sys.path if p.endswith("site-packages"))
        theirs = next((place / "lib").glob("python*/site-packages"))
        (theirs / "lantern.pth").write_text(f"{ours}\n")
    done.write_text(wanted)
    return place / "bin"


def versions(name: str) -> str:
    """What is installed of the first packages of an environment."""
    python = WORK / f"venv-{name}" / "bin" / "python"
    if not python.exists():
        return f"{name}: not installed"
    names = [entry.partition(">")[0] for entry in ENVIRONMENTS[name][:2]]
    code = f"import importlib.metadata as m; print(', '.join(n + ' ' + m.version(n) for n in {names!r}))"
    ended = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return ended.stdout.strip() or f"{name}: not installed"
