"""A part of one table as Parquet or XLSX: run as a process of its own, so that a serving worker never loads their
libraries. `python -m api.release.extract FOLDER FORMAT` reads FOLDER/datapackage.json and its one table's CSV.
"""

import json
import os
import sys
from pathlib import Path

from api.index.survey import surveys
from api.model.descriptor import package
from api.model.files import DESCRIPTOR
from api.release.formats import FORMATS

TARGET = "extract"


def write(folder: Path, kind: str) -> None:
    """Write FOLDER/extract in the format."""
    model = package(json.loads((folder / DESCRIPTOR).read_bytes()))
    write_table = FORMATS[kind].write
    assert write_table is not None
    write_table(model, surveys(model, folder)[0], folder / TARGET)


if __name__ == "__main__":
    os.nice(10)  # the server that waits for it has others to answer
    try:
        write(Path(sys.argv[1]), sys.argv[2])
    except OSError as error:
        print(error, file=sys.stderr)
        sys.exit(os.EX_IOERR)
