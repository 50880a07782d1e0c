"""Real servers: `lantern serve` on a port that the system chooses, started and ended."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

LANTERN = (sys.executable, "-P", "-m", "api")
# The program with another format of its index: what a newer version is to an older one.
_NEWER = "import api.__main__ as program, api.index.layout as layout; layout.FORMAT = 'other'; program.main()"
OTHER = (sys.executable, "-P", "-c", _NEWER)
# The same without root's right to read and write everything, whoever runs the tests.
POWERLESS = (*(("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.getuid() == 0 else ()), *LANTERN)
START_SECONDS = 30


class Running(NamedTuple):
    """A server that listens: its address as it printed it, and the process of its master."""

    url: str
    pid: int


@contextmanager
def lantern(
    log: Path,
    *arguments: str,
    command: Sequence[str] = LANTERN,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
    **environ: str,
) -> Iterator[Running]:
    """A command that serves, once it has printed where; at the end it is killed with all its processes."""
    values = {**os.environ, "PORT": "0", "LANTERN_BASE_URL": "", **environ}
    with log.open("wb") as err:
        process = subprocess.Popen(
            [*command, *arguments],
            cwd=cwd,
            env=values,
            stdout=subprocess.PIPE,
            stderr=err,
            pass_fds=pass_fds,
            start_new_session=True,
        )
    assert process.stdout is not None
    try:
        url = ""
        while not url.startswith("http") and select.select([process.stdout], [], [], START_SECONDS)[0]:
            line = process.stdout.readline().decode()
            if not line:
                break
            url = line.split()[-1]
        assert url.startswith("http"), log.read_text(errors="replace")[-3000:]
        yield Running(url, process.pid)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
