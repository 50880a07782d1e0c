"""The command preview: a package as it stands, served as a draft."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import click

from api.cli.options import COPIES, LENIENT, PACKAGE, Config


@click.command()
@PACKAGE
@COPIES
@LENIENT
@click.pass_obj
def preview(config: Config) -> None:
    """Serve a package as it stands, as a draft, and again whenever a file of it changes.

    Every page and `meta` of every response say that it is a draft. Nothing goes into the store, nothing is signed,
    nothing is left at the end; only this machine can see it. After an edit with errors the draft before it stays, and
    the errors are printed. Changes of published figures need their corrections at the next release, not here.

    PORT is the port (default: 8000; 0: any that is free). The address is printed.
    """
    from api import server

    path = config["PACKAGE"].absolute()
    if path.suffix.lower() == ".zip":
        raise click.UsageError("a zip is not edited in place: name a folder or its descriptor")
    server.refuse_address("127.0.0.1")
    own, folder = os.getpid(), Path(tempfile.mkdtemp(prefix="lantern-preview-"))
    (folder / "tmp").mkdir()
    environ = {**os.environ, "TMPDIR": str(folder / "tmp")}
    command = [sys.executable, "-P", "-m", "api.editing.previewing", str(path), str(folder), str(own)]
    command += [str(config["COPIES"] or ""), *["lenient"] * config["LENIENT"]]
    maker = subprocess.Popen(command, stdout=subprocess.PIPE, env=environ, start_new_session=True)
    try:
        if maker.stdout and not maker.stdout.readline():
            sys.exit(maker.wait())
        here = {"STORE": folder / "store", "INDEX": "", "HOST": "127.0.0.1", "BASE_URL": "", "PROXIES": 0}
        server.run({**config, **here}, partial(_app, folder / "errors"))
    finally:
        if os.getpid() == own:  # and not a process of the server, which ends here too
            if maker.poll() is None:
                os.killpg(maker.pid, signal.SIGKILL)
                maker.wait()
            shutil.rmtree(folder, ignore_errors=True)


def _app(errors: Path, **values: Any) -> Any:
    from api.app import create_app
    from api.http import draft

    app = create_app(**values)
    app.wsgi_app = draft.marked(app.wsgi_app, errors)  # type: ignore[assignment, method-assign]  # Flask's way
    return app


COMMANDS = (preview,)
