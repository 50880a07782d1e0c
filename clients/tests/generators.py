"""Makes clients with openapi-generator, from the document that the server serves."""

import os
import sys
import urllib.request
from pathlib import Path

from programs import program, run

BIN = Path(sys.executable).parent


def served_document(server: str, folder: Path) -> Path:
    path = folder / "openapi.json"
    urllib.request.urlretrieve(f"{server}/openapi.json", path)
    return path


def generate(generator: str, server: str, folder: Path, *options: str | Path) -> Path:
    """The folder of a client of openapi-generator, which checks the document before."""
    program("java")
    made = folder / "client"
    command = ["generate", "--generator-name", generator, "--output", made, *options]
    where = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    run(BIN / "openapi-generator-cli", *command, "--input-spec", served_document(server, folder), PATH=where)
    return made
