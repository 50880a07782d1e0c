"""The units of deploy/systemd and the container of deploy/container, as far as neither systemd nor a daemon is needed:
what they say is checked by systemd's own tools, and the commands in them run, in a file system that is read-only.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from fronts import free_port
from load import until
from newsroom import ROOT, origin, own_store, states
from packages import table, write
from running import LANTERN

from api import settings
from api.release.build import build

__all__ = ["origin", "states"]
UNITS = ROOT / "deploy" / "systemd"
CONTAINER = ROOT / "deploy" / "container"
PROGRAM = "/opt/lantern/.venv/bin/lantern"
PAGES = ["/", "/v1/", "/v1/datasets/things/records?id=one", "/v1/datasets/things/records.xlsx?id=one", "/readyz"]
# Everything is read-only but these folders, as in a unit with ProtectSystem=strict or a container with read_only.
SEALED = """
for folder in $WRITABLE; do mount --bind $folder $folder; done
mount -o remount,bind,ro /
if touch / 2>/dev/null; then echo "still writable" >&2; exit 1; fi
exec setpriv --no-new-privs "$@"
"""


def unit(name: str) -> dict[str, list[str]]:
    """The lines of a unit: every value of each name."""
    lines: dict[str, list[str]] = {}
    for line in (UNITS / name).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            lines.setdefault(key, []).append(value)
    return lines


def environment(name: str, places: dict[str, Path]) -> dict[str, str]:
    """What a unit's Environment sets, with folders of our own for those of the system."""
    given = [pair.partition("=")[::2] for line in unit(name).get("Environment", []) for pair in shlex.split(line)]
    return {key: moved(value, places) for key, value in given}


def moved(text: str, places: dict[str, Path]) -> str:
    for place, folder in places.items():
        text = text.replace(place, str(folder))
    return text


def tool(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/bin")
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install systemd util-linux")
    return found


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """Our folders for those of the system, with a store in the first."""
    things = table("things", ["id"], [["one"]])
    build(write(tmp_path / "package", things, created="2026-01-01T00:00:00Z"), tmp_path / "lib" / "store")
    (tmp_path / "cache").mkdir()
    (tmp_path / "tmp").mkdir()
    return {"/var/lib/lantern": tmp_path / "lib", "/var/cache/lantern": tmp_path / "cache"}


@contextmanager
def sealed(command: list[str], environ: dict[str, str], writable: list[Path], log: Path) -> Iterator[int]:
    """A process with a read-only root but for these folders; its number."""
    apart = [tool("unshare"), "--user", "--map-root-user", "--mount"]
    if subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("this machine allows no namespaces of one's own")
    inner = [*apart, "sh", "-ec", SEALED, "sh", *command]
    given = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    given |= {**environ, "WRITABLE": " ".join(map(str, writable)), "TMPDIR": str(writable[-1])}
    with log.open("wb") as out:
        process = subprocess.Popen(inner, env=given, stdout=out, stderr=out, start_new_session=True)
    try:
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def statuses(port: int) -> dict[str, int]:
    found = {}
    for path in PAGES:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            found[path] = answer.status
    return found


def verified(folder: Path) -> list[Path]:
    """The units with this machine's program in them, for whose sake systemd looks."""
    program = shutil.copy("/bin/true", folder / "lantern")
    for path in UNITS.iterdir():
        (folder / path.name).write_text(path.read_text().replace(PROGRAM, str(program)))
    return sorted(path for path in folder.iterdir() if path.suffix in (".service", ".socket", ".timer"))


def test_systemd_finds_nothing_to_say_of_the_units(tmp_path: Path) -> None:
    command = [tool("systemd-analyze"), "verify", "--man=no", *map(str, verified(tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    wrong = (tmp_path / "lantern.service").read_text().replace("ProtectHome=", "ProtectHouse=")
    (tmp_path / "lantern.service").write_text(wrong)
    assert "ProtectHouse" in subprocess.run(command, capture_output=True, text=True, timeout=60).stderr


def test_what_the_document_names_is_there() -> None:
    text = (ROOT / "docs" / "OPERATIONS.md").read_text()
    named = set(re.findall(r"(?:deploy|tests)/[\w./-]*\w", text))
    assert len(named) > 8 and [path for path in named if not list(ROOT.glob(f"{path}*"))] == []
    units = set(re.findall(r"lantern[\w-]*\.(?:service|socket|timer)", text))
    assert len(units) > 3 and units <= {path.name for path in UNITS.iterdir()}


@pytest.mark.parametrize("name", sorted(path.name for path in UNITS.glob("*.service")))
def test_the_units_leave_little_to_whoever_breaks_in(tmp_path: Path, name: str) -> None:
    verified(tmp_path)
    command = [tool("systemd-analyze"), "security", "--offline=true", "--no-pager", str(tmp_path / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    [level] = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert float(level) < 2, done.stdout


def test_the_server_serves_from_its_socket_with_what_its_unit_leaves_it(
    places: dict[str, Path], tmp_path: Path
) -> None:
    lines = unit("lantern.service")
    assert lines["ExecStart"] == [f"{PROGRAM} serve"]
    assert unit("lantern.socket")["ListenStream"] == ["127.0.0.1:8000"]
    environ, port = environment("lantern.service", places), free_port()
    names = (*environ, "TMPDIR", *({"PATH", "PYTHONPATH"} & os.environ.keys()))
    passed = [f"--setenv={name}" for name in names]
    command = [tool("systemd-socket-activate"), f"--listen=127.0.0.1:{port}", *passed, *LANTERN, "serve"]
    writable = [places["/var/cache/lantern"], tmp_path / "tmp"]
    with sealed(command, environ, writable, tmp_path / "log"):
        until(lambda: "Listening on" in (tmp_path / "log").read_text())
        assert statuses(port) == dict.fromkeys(PAGES, 200), (tmp_path / "log").read_text()
        asked = urllib.request.Request(f"http://127.0.0.1:{port}/v1/", headers={"X-Forwarded-Host": "data.example.org"})
        with urllib.request.urlopen(asked) as answer:
            assert json.load(answer)["links"]["self"] == "http://data.example.org/v1/"
        assert list((places["/var/cache/lantern"] / "index").iterdir())


def run(name: str, places: dict[str, Path], **more: str) -> "subprocess.CompletedProcess[str]":
    """Run what a unit starts, as it says but for the folders."""
    [line] = unit(name)["ExecStart"]
    words = shlex.split(moved(line, {**places, **{old: Path(new) for old, new in more.items()}}))
    assert words[0] == PROGRAM
    environ = {**os.environ, **environment(name, places)}
    return subprocess.run([*LANTERN, *words[1:]], env=environ, capture_output=True, text=True, timeout=60)


def test_the_timer_of_a_publisher_signs_again(states: Path, tmp_path: Path) -> None:
    own_store(states, tmp_path)
    timestamp = tmp_path / "store" / "tuf" / "timestamp.json"
    before = json.loads(timestamp.read_text())["signed"]["version"]
    done = run("lantern-sign.service", {"/var/lib/lantern": tmp_path})
    assert done.returncode == 0, done.stderr
    assert json.loads(timestamp.read_text())["signed"]["version"] > before


def test_the_timer_of_a_mirror_copies(origin: str, tmp_path: Path) -> None:
    [line] = unit("lantern-mirror.service")["ExecStart"]
    words = [{"https://data.example.org": origin}.get(word, word) for word in shlex.split(line)[1:]]
    command = [*LANTERN, *(moved(word, {"/var/lib/lantern": tmp_path}) for word in words)]
    subprocess.run(command, env={**os.environ, **environment("lantern-mirror.service", {})}, check=True, timeout=60)
    assert (tmp_path / "store" / "mirror.json").is_file()


# The container


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Containerfile, with their words."""
    text = re.sub(r"\\\n", " ", (CONTAINER / "Containerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def last(name: str) -> str:
    return [words for instruction, words in instructions() if instruction == name][-1]


def image_environment() -> dict[str, str]:
    stage = max(number for number, (name, _) in enumerate(instructions()) if name == "FROM")
    pairs = [shlex.split(words) for name, words in instructions()[stage:] if name == "ENV"]
    return dict(pair.split("=", 1) for words in pairs for pair in words)


def test_the_image_holds_what_is_locked_and_what_is_there_and_runs_without_rights() -> None:
    copied = [words.split()[:-1] for name, words in instructions() if name == "COPY" and "--from" not in words]
    assert copied and all((ROOT / path).exists() for words in copied for path in words)
    sent = (CONTAINER / "Containerfile.dockerignore").read_text().splitlines()
    assert {line[1:] for line in sent if line.startswith("!")} == {path for words in copied for path in words}
    installed = [words for name, words in instructions() if name == "RUN" and "pip install" in words]
    assert [("--require-hashes" in words, "--no-deps" in words) for words in installed] == [
        *((True, False), (True, False), (False, True))
    ]
    assert last("USER") not in ("root", "0")
    own = {name.removeprefix(settings.PREFIX) for name in image_environment() if name.startswith(settings.PREFIX)}
    assert own and own <= {setting.name for setting in settings.SETTINGS}


def test_the_image_starts_a_server_whose_health_it_sees(places: dict[str, Path], tmp_path: Path) -> None:
    command = [*json.loads(last("ENTRYPOINT")), *json.loads(last("CMD"))]
    assert command[0] == "lantern"
    health = json.loads(re.search(r"CMD (\[.*\])", last("HEALTHCHECK"))[1])  # type: ignore[index]  # it has one
    port = free_port()
    environ = {name: moved(value, places) for name, value in image_environment().items() if name != "PATH"}
    environ |= {"PORT": str(port)}

    def healthy() -> bool:
        words = [LANTERN[0] if word == "python" else word for word in health]
        return subprocess.run(words, env={**os.environ, **environ}, capture_output=True, timeout=30).returncode == 0

    assert not healthy()
    writable = [places["/var/cache/lantern"], tmp_path / "tmp"]
    with sealed([*LANTERN, *command[1:]], environ, writable, tmp_path / "log"):
        until(healthy)
        assert statuses(port) == dict.fromkeys(PAGES, 200)
        assert "0.0.0.0 is open to other machines" in (tmp_path / "log").read_text()
    assert not healthy()


def test_the_composition_opens_nothing_but_nginx_and_copies_before_it_serves(origin: str, tmp_path: Path) -> None:
    services = yaml.safe_load((CONTAINER / "compose.yaml").read_text())["services"]
    server, mirror, nginx = (services[name] for name in ("server", "mirror", "nginx"))
    assert server["environment"] == {"LANTERN_HOST": "127.0.0.1", "LANTERN_PROXIES": "1"}
    assert nginx["network_mode"] == "service:server"
    assert server["ports"] == ["80:80", "443:443"]
    assert all(one["read_only"] for one in services.values())
    assert (CONTAINER / nginx["volumes"][0].partition(":")[0]).resolve() == ROOT / "deploy" / "proxy" / "nginx.conf"
    build_of = server["build"]
    assert ((CONTAINER / build_of["context"]).resolve(), build_of["dockerfile"]) == (
        *(ROOT, "deploy/container/Containerfile"),
    )
    places = {"/var/lib/lantern": tmp_path}
    shell, flag, script = mirror["entrypoint"]
    program = tmp_path / "bin" / "lantern"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.join(LANTERN)} "$@"\n')
    program.chmod(0o755)
    environ = {**os.environ, **mirror["environment"], "UPSTREAM": origin}
    environ["PATH"] = f"{program.parent}:{environ['PATH']}"
    [*_, copied] = mirror["healthcheck"]["test"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [shell, flag, moved(script.replace("$$", "$"), places)],
            env=environ,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        until(Path(moved(copied, places)).is_file)
        time.sleep(0.2)
        assert process.poll() is None  # it waits for the next hour
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
