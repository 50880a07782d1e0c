"""XLSX and Parquet of some rows: written by another process, which may hold the libraries that take memory."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from api.index.bounds import TooSlow, costly, seconds_left
from api.model.descriptor import Table
from api.model.files import DESCRIPTOR
from api.query.find import Selection
from api.query.foreign import Foreign
from api.release.formats import Format

ENDED = "Writing these rows in this format was ended: it took too much memory."
WAITED = "Writing these rows in this format takes longer than the server's time limit."


def extract(selection: Selection, format: Format, pieces: Iterable[bytes], rows: int) -> IO[bytes]:
    """The selected rows, given as CSV in `pieces`, in a format: an open file that has no name.

    As many at a time as there are turns: each is a process with libraries of some 100 MiB.
    """
    costly()
    with tempfile.TemporaryDirectory(prefix="lantern-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        target = folder / selection.table.path
        target.parent.mkdir()
        with target.open("wb") as out:
            out.writelines(pieces)
        (folder / DESCRIPTOR).write_text(json.dumps(_described(selection, rows)))
        try:
            command = [sys.executable, "-P", "-m", "api.release.extract", str(folder), format.name]
            environ = {**os.environ, "TMPDIR": name}  # what it leaves when it is killed goes with the rest
            done = subprocess.run(command, env=environ, timeout=min(seconds_left(), threading.TIMEOUT_MAX))
        except subprocess.TimeoutExpired as error:
            raise TooSlow(WAITED) from error
        if done.returncode == os.EX_IOERR:  # it has said more, in the log
            raise OSError("an extract could not be written")
        if done.returncode == -signal.SIGKILL:  # by the system, where memory is short
            raise TooSlow(ENDED)
        done.check_returncode()
        return (folder / "extract").open("rb")


def _described(selection: Selection, rows: int) -> dict[str, Any]:
    """A descriptor of the one table, with the picked fields and no references to tables that are missing."""
    table, picked = selection.table, selection.query.fields
    shown = [_field(table, one) for one in (range(len(table.fields)) if picked is None else picked)]
    names = {field["name"] for field in shown}
    schema = {k: v for k, v in table.schema.items() if k not in ("foreignKeys", "lantern:figure")}
    schema["fields"] = shown
    if not set(table.primary_key) <= names:
        schema.pop("primaryKey", None)
    resource = {**table.descriptor, "path": table.path, "schema": schema, "rows": rows}
    return {**selection.release.package.descriptor, "resources": [resource]}


def _field(table: Table, picked: int | Foreign) -> Mapping[str, Any]:
    """The descriptor of a picked field: of one that a foreign key leads to, values recur and may be missing."""
    if isinstance(picked, int):
        return table.fields[picked].descriptor
    field = picked.field
    return {"name": picked.name, "type": field.type, "format": field.format, "missingValues": [*field.missing]} | {
        name: value for name, value in field.descriptor.items() if name not in ("name", "constraints", "missingValues")
    }
