"""A stranger's package, built by somebody who must not suffer from it.

It is built in a process of its own, which is forked from one that has the libraries, with a time limit, a limit and a
measure of its memory, a listener that must see no connection (it is also the proxy of the environment), a secret beside
the package that must not get into the release, and folders in which nothing may be made or left.
"""

import functools
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SECRET = "a secret of the machine that builds"
SECONDS = 120  # for the slowest, on a machine that does other things, too
MEMORY = 600  # MB at the peak; an empty package takes 150
# Builds packages into stores, each in a process of its own that a fork makes, so that libraries are loaded once.
# Not those that start threads, which a fork would lose. It says how that went: what it does not catch is a defect.
BUILDER = """
import json, os, resource, signal, sys, threading, traceback
from pathlib import Path
import duckdb, numpy
from api.model.errors import LanternError
from api.release.build import build
def built(asked):
    os.setsid()
    os.dup2(os.open("out", os.O_CREAT | os.O_RDWR, 0o600, dir_fd=os.open(asked["work"], os.O_RDONLY)), 1)
    os.dup2(1, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(asked["work"])
    os.environ.update(asked["environment"])
    resource.setrlimit(resource.RLIMIT_DATA, (4 * 2**30, 4 * 2**30))
    try:
        build(Path(asked["package"]), Path(asked["work"], "store"))
        print(json.dumps({"built": True, "told": ""}), flush=True)
    except LanternError as error:
        print(json.dumps({"built": False, "told": str(error)}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            built(asked)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    timer = threading.Timer(asked["seconds"], os.killpg, (child, signal.SIGKILL))
    timer.start()
    _, status, used = os.wait4(child, 0)
    timer.cancel()
    timer.join()
    print(json.dumps([os.waitstatus_to_exitcode(status), used.ru_maxrss // 1024]), flush=True)
"""


@dataclass(frozen=True)
class Place:
    """Where an attack is made: the folder of the package, the secret beside it, and the address of the listener."""

    package: Path
    secret: Path
    url: str

    def file(self, name: str, data: str | bytes) -> None:
        path = self.package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)

    def describe(self, *resources: dict[str, Any], **words: Any) -> None:
        """Write the descriptor, with a table that is as it should be before the others."""
        self.file("good.csv", "id,kind\n1,a\n2,b\n")
        good = {"name": "good", "type": "table", "path": "good.csv", "schema": schema("id:integer", "kind")}
        described = {"name": "strange", "version": "1.0.0", "resources": [good, *resources], **words}
        self.file("datapackage.json", json.dumps(described))

    def table(self, text: str | bytes, *fields: str, path: str = "t.csv", **words: Any) -> None:
        """Write a package with one more table."""
        self.file(path, text)
        self.describe({"name": "t", "type": "table", "path": path, "schema": schema(*fields), **words})

    def chart(self, spec: dict[str, Any]) -> None:
        self.describe(**{"lantern:charts": [{"name": "c", "title": "C", "resource": "good", "spec": spec}]})


@dataclass(frozen=True)
class Outcome:
    built: bool
    told: str
    peak: int
    seconds: float


def schema(*fields: str, **constraints: Any) -> dict[str, Any]:
    named = [dict(zip(("name", "type"), (*field.split(":"), "string"), strict=False)) for field in fields]
    return {"fields": [{**field, "constraints": constraints} if constraints else field for field in named]}


@contextmanager
def listening() -> Iterator[tuple[str, list[str]]]:
    """The address of a listener, and the connections that it saw."""
    seen: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        end = threading.Event()
        server.settimeout(0.02)

        def listen() -> None:
            while not end.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(1)
                    seen.append(connection.recv(200).decode(errors="replace"))

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", seen
        finally:
            end.set()
            thread.join()


def attacked(folder: Path, attack: Callable[[Place], Any], seconds: int = SECONDS, memory: int = MEMORY) -> Outcome:
    """What a package did, after all that holds for each of them was asserted."""
    for name in ("package", "outside", "work", "temporary", "home"):
        (folder / name).mkdir()
    (folder / "outside" / "secret.csv").write_text(f"id,kind\n1,{SECRET}\n")
    with listening() as (url, seen):
        attack(Place(folder / "package", folder / "outside" / "secret.csv", url))
        before = tree(folder)
        outcome = run(folder, url, seconds)
    assert seen == []
    assert tree(folder) == before
    if outcome.built:
        assert SECRET.encode() not in b"".join(contents(folder / "work" / "store"))
    else:
        assert not (folder / "work" / "store" / "releases" / "1.0.0").exists()
    assert outcome.peak < memory
    return outcome


def tree(folder: Path) -> list[str]:
    """All that there is but in the store."""
    return sorted(str(path) for path in folder.rglob("*") if (folder / "work" / "store") not in (path, *path.parents))


def contents(store: Path) -> Iterator[bytes]:
    """All bytes of a store, archives unpacked."""
    for path in store.rglob("*"):
        if path.is_file():
            yield path.read_bytes()
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    yield from map(archive.read, archive.namelist())


@functools.cache
def builder() -> subprocess.Popen[str]:
    """The program that builds, which ends with its input: with this process."""
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-P", "-c", BUILDER], text=True, env=environment, **pipes)


def run(folder: Path, url: str, most: int) -> Outcome:
    proxies = {f"{kind}_proxy": url for kind in ("http", "https", "all")}
    environment = {**proxies, **{name.upper(): value for name, value in proxies.items()}}
    environment |= {"TMPDIR": str(folder / "temporary"), "HOME": str(folder / "home")}
    work = folder / "work"
    asked = {"package": str(folder / "package"), "work": str(work), "environment": environment, "seconds": most}
    asking, answering = builder().stdin, builder().stdout
    assert asking is not None
    assert answering is not None
    begun = time.monotonic()
    print(json.dumps(asked), file=asking, flush=True)
    code, peak = json.loads(answering.readline())
    seconds = time.monotonic() - begun
    text = (work / "out").read_text("utf-8", "replace")
    (work / "out").unlink()
    assert code == 0, (code, round(seconds), peak, text[-2_000:])
    said = json.loads(text.splitlines()[-1])
    print(f"{seconds:.1f} s, {peak} MB: {said['told'][:300]!r}")
    return Outcome(**said, peak=peak, seconds=seconds)


# Files that stand for more than they are


def archive(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in entries.items():
            packed.writestr(name, data)
    return out.getvalue()


def sheet(strings: str, doctype: str) -> bytes:
    """A workbook whose one cell is an entity that the document declares."""
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    links = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kinds}.worksheet+xml"/>'
        f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kinds}.sharedStrings+xml"/></Types>',
        "_rels/.rels": f'{links}<Relationship Id="r1" Type="{relations}/officeDocument" Target="xl/workbook.xml"/>'
        "</Relationships>",
        "xl/workbook.xml": f'<workbook {main} xmlns:r="{relations}"><sheets><sheet name="t" sheetId="1" r:id="r1"/>'
        "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'{links}<Relationship Id="r1" Type="{relations}/worksheet" '
        f'Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="{relations}/sharedStrings" '
        'Target="sharedStrings.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet {main}><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is>'
        '</c></row><row r="2"><c r="A2" t="s"><v>0</v></c></row></sheetData></worksheet>',
        "xl/sharedStrings.xml": f'<?xml version="1.0"?>{doctype}<sst {main}><si><t>{strings}</t></si></sst>',
    }
    return archive({name: text.encode() for name, text in parts.items()})


def ods(strings: str, doctype: str) -> bytes:
    spaces = " ".join(f'xmlns:{n}="urn:oasis:names:tc:opendocument:xmlns:{n}:1.0"' for n in ("office", "table", "text"))
    rows = "".join(
        f'<table:table-row><table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'
        "</table:table-row>"
        for text in ("a", strings)
    )
    content = (
        f'<?xml version="1.0"?>{doctype}<office:document-content {spaces}><office:body><office:spreadsheet>'
        f'<table:table table:name="t">{rows}</table:table></office:spreadsheet></office:body></office:document-content>'
    )
    kind = b"application/vnd.oasis.opendocument.spreadsheet"
    return archive({"mimetype": kind, "content.xml": content.encode()})
