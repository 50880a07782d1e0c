"""A Chromium without a window, driven over its debugging pipe (https://chromedevtools.github.io/devtools-protocol/)."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-renderer-backgrounding", "--disable-background-timer-throttling"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
# The browser reads commands from its descriptor 3 and writes to 4.
PLACED = "import os, sys; [os.dup2(int(sys.argv[n]), n + 2) for n in (1, 2)]; os.execv(sys.argv[3], sys.argv[3:])"
Evaluate = Callable[[str], Any]


def chromium() -> str:
    """The browser's path; without one the test is skipped."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return found or pytest.skip("no Chromium here: on Debian, apt-get install chromium")


@contextmanager
def page(url: str, profile: Path) -> Iterator[Evaluate]:
    """A page in a browser of its own; what is yielded evaluates JavaScript there, and returns what a promise gives."""
    commands, events = os.pipe(), os.pipe()
    command = [sys.executable, "-c", PLACED, str(commands[0]), str(events[1]), chromium(), *OPTIONS]
    command += ["--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(command, pass_fds=(commands[0], events[1]), stderr=subprocess.DEVNULL)
    os.close(commands[0])
    os.close(events[1])
    with os.fdopen(commands[1], "wb", buffering=0) as out, os.fdopen(events[0], "rb") as answers:
        numbers = count(1)

        def told(name: str, value: Any) -> dict[str, Any]:
            """The next message with that entry."""
            while True:
                message = bytearray()
                while (byte := answers.read(1)) != b"\0":
                    assert byte, "the browser has ended"
                    message += byte
                found: dict[str, Any] = json.loads(message)
                if found.get(name) == value:
                    return found

        def call(method: str, **more: Any) -> dict[str, Any]:
            number = next(numbers)
            out.write(json.dumps({"id": number, "method": method, **more}).encode() + b"\0")
            found = told("id", number)
            assert "result" in found, found
            result: dict[str, Any] = found["result"]
            return result

        targets = call("Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in targets if one["type"] == "page")
        session = call("Target.attachToTarget", params={"targetId": target, "flatten": True})["sessionId"]
        call("Page.enable", sessionId=session)
        call("Page.navigate", params={"url": url}, sessionId=session)
        told("method", "Page.loadEventFired")

        def evaluate(script: str) -> Any:
            asked = {"expression": script, "awaitPromise": True, "returnByValue": True}
            found = call("Runtime.evaluate", params=asked, sessionId=session)
            assert "exceptionDetails" not in found, found
            return found["result"].get("value")

        try:
            yield evaluate
        finally:
            process.kill()
            process.wait()
