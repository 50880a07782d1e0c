"""Whoever builds a stranger's package is safe: no network, no file from outside, bounded time and memory."""

import gzip
import io
import os
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from stranger import MEMORY, Place, archive, attacked, ods, schema, sheet

# What leads out: to the network, to files


IMAGE = {"mark": {"type": "image", "width": 9, "height": 9}, "encoding": {"x": {"field": "id"}}}
BAR = {"mark": "bar", "encoding": {"x": {"field": "id"}}}


def remote(key: str) -> Callable[[Place], None]:
    return lambda place: place.table("a\n1\n", "a", **{key: f"{place.url}/x.json"})


OUTWARD: dict[str, Callable[[Place], None]] = {
    "a chart with a picture of the network": lambda place: place.chart(
        {**IMAGE, "encoding": {"url": {"value": f"{place.url}/x.png"}}}
    ),
    "a chart with a picture of the machine": lambda place: place.chart(
        {**IMAGE, "encoding": {"url": {"value": place.secret.as_uri()}}}
    ),
    "a chart with rows of the network": lambda place: place.chart({**BAR, "data": {"url": f"{place.url}/x.json"}}),
    "a chart with rows of the machine": lambda place: place.chart({**BAR, "data": {"url": place.secret.as_uri()}}),
    "a chart with a link": lambda place: place.chart({**BAR, "encoding": {"href": {"value": place.url}}}),
    "a schema of the network": remote("schema"),
    "a dialect of the network": remote("dialect"),
    "a table of the network": lambda place: place.describe(
        {"name": "t", "type": "table", "path": f"{place.url}/t.csv"}
    ),
    "a file of the network": lambda place: place.describe({"name": "t", "url": f"{place.url}/t.csv"}),
    "a profile of the network": lambda place: place.describe(profile=f"{place.url}/profile.json"),
    "a community's schema of the network": lambda place: place.describe(**{"$schema": f"{place.url}/schema.json"}),
    "words of the network": lambda place: place.describe(
        **{"licenses": [{"path": f"{place.url}/l"}], "image": f"{place.url}/i.png", "sources": [{"path": place.url}]},
        **{"homepage": place.url, "contributors": [{"title": "a", "path": place.url}]},
    ),
    "a path that climbs": lambda place: place.describe({"name": "t", "path": "../outside/secret.csv"}),
    "a path that climbs with backslashes": lambda place: place.describe(
        {"name": "t", "path": "..\\outside\\secret.csv"}
    ),
    "a path from the root": lambda place: place.describe({"name": "t", "path": str(place.secret)}),
    "an address of a file": lambda place: place.describe({"name": "t", "path": place.secret.as_uri()}),
    "a path of the system": lambda place: place.describe({"name": "t", "path": "/proc/self/environ"}),
    "a device": lambda place: place.describe({"name": "t", "path": "/dev/zero"}),
    "a schema that climbs": lambda place: place.table("a\n1\n", "a", schema="../outside/secret.csv"),
    "words of files outside": lambda place: place.describe(
        licenses=[{"path": "../outside/secret.csv"}], image=str(place.secret), readme="../outside/secret.csv"
    ),
}


@pytest.mark.parametrize("what", OUTWARD)
def test_nothing_outside_of_the_package_is_reached(tmp_path: Path, what: str) -> None:
    attacked(tmp_path, OUTWARD[what])


def linked(name: str, target: str = "../outside/secret.csv") -> Callable[[Place], None]:
    def attack(place: Place) -> None:
        place.describe({"name": "t", "path": name} if name.endswith("csv") else {"name": "t", "data": [["a"], [1]]})
        (place.package / name).parent.mkdir(exist_ok=True)
        (place.package / name).symlink_to(target)

    return attack


def linked_descriptor(place: Place) -> None:
    place.describe()
    (place.package / "datapackage.json").rename(place.secret.parent / "datapackage.json")
    (place.package / "datapackage.json").symlink_to("../outside/datapackage.json")


def linked_history(place: Place) -> None:
    place.describe({"name": "secret", "path": "secret.csv"}, version="0.9.0")
    (place.package / "datapackage.json").rename(place.secret.parent / "datapackage.json")
    (place.package / "good.csv").rename(place.secret.parent / "good.csv")
    place.describe()
    (place.package / "history").mkdir()
    (place.package / "history" / "0.9.0").symlink_to("../../outside")


LINKED: dict[str, tuple[Callable[[Place], None], str]] = {
    "table": (linked("t.csv"), 'the file "t.csv" is a link that leads out of the package'),
    "circle": (linked("t.csv", "t.csv"), 'the file "t.csv" does not exist'),
    "device": (linked("t.csv", "/dev/zero"), 'the file "t.csv" is a link that leads out of the package'),
    **{
        name: (linked(name), f"{name}: the link leads out of the package's folder")
        for name in ("README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "changes.jsonl")
    },
    "descriptor": (linked_descriptor, "datapackage.json: the link leads out of the package's folder"),
    "history": (linked_history, "history/0.9.0: the link leads out of the package's folder"),
}


@pytest.mark.parametrize("what", LINKED)
def test_links_are_not_followed_out_of_the_package(tmp_path: Path, what: str) -> None:
    attack, told = LINKED[what]
    outcome = attacked(tmp_path, attack)
    assert not outcome.built
    assert told in outcome.told


def pipe(place: Place) -> None:
    place.describe({"name": "t", "path": "t.csv"})
    os.mkfifo(place.package / "t.csv")
    os.mkfifo(place.package / "README.md")


def door(place: Place) -> None:
    place.describe({"name": "t", "type": "table", "path": "s.csv"})
    with socket.socket(socket.AF_UNIX) as bound:
        here = Path.cwd()
        os.chdir(place.package)  # the name of a socket may have 107 bytes
        bound.bind("s.csv")
        os.chdir(here)


@pytest.mark.parametrize(("attack", "name"), [(pipe, "t.csv"), (door, "s.csv")], ids=["pipe", "socket"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, attack: Callable[[Place], None], name: str) -> None:
    assert f'the file "{name}" is no file' in attacked(tmp_path, attack).told


# What is larger than it looks


LAUGHS = "<!DOCTYPE a [<!ENTITY l0 'ha'>" + "".join(
    f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10)
) + "]>"  # fmt: skip
SHEETS = {"xlsx": sheet, "ods": ods}


@pytest.mark.parametrize("kind", SHEETS)
@pytest.mark.parametrize("what", ["a bomb", "a file", "an address"])
def test_entities_of_a_sheet_are_not_followed(tmp_path: Path, kind: str, what: str) -> None:
    def attack(place: Place) -> None:
        where = place.secret.as_uri() if what == "a file" else f"{place.url}/x"
        outside = f"<!DOCTYPE a [<!ENTITY x SYSTEM '{where}'>]>"
        data = SHEETS[kind]("&l9;", LAUGHS) if what == "a bomb" else SHEETS[kind]("&x;", outside)
        place.table(data, "a", path=f"t.{kind}", format=kind)

    attacked(tmp_path, attack)


def long_line(place: Place) -> None:
    """5 MB that are one line of 1.2 GB."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as out:
        for _ in range(1200):
            out.write(b"x" * 2**20)
    place.table(packed.getvalue(), "a", path="t.csv.gz")


def long_text(place: Place) -> None:
    """1 MB that are one text of 200 MB."""
    place.table(gzip.compress(b'["' + b"x" * 200_000_000 + b'"]', 1), "a", path="t.json.gz", format="json")


def many_entries(place: Place) -> None:
    entries = dict.fromkeys((f"{n}.csv" for n in range(100_001)), b"")
    place.table(archive(entries), "a", path="t.csv.zip", compression="zip")


def nested(place: Place) -> None:
    data = b"a\n1\n"
    for _ in range(20):
        data = archive({"t.csv": data})
    place.table(data, "a", path="t.csv.zip", compression="zip")


def endless(kind: str, part: str, place: str, piece: str) -> Callable[[Place], None]:
    """A sheet of 16 MB in which something has no end, beside what cannot be packed."""

    def attack(place_: Place) -> None:
        with zipfile.ZipFile(io.BytesIO(SHEETS[kind]("b", ""))) as parts:
            entries = {name: parts.read(name) for name in parts.namelist()}
        before, found, after = entries[part].partition(place.encode())
        assert found
        entries |= {part: before + found + piece.encode() * (2**24 // len(piece)) + after, "pad": os.urandom(100_000)}
        place_.table(archive(entries), "a", path=f"t.{kind}", format=kind)

    return attack


WORKSHEET, CONTENT = "xl/worksheets/sheet1.xml", "content.xml"
TENFOLD = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
GROWN: dict[str, Callable[[Place], None]] = {
    "a line of 1.2 GB": long_line,
    "an archive of 100,001 files": many_entries,
    "an archive in an archive in …": nested,
    "a row of cells without end": endless("xlsx", WORKSHEET, '<row r="1">', "<c/>"),
    "a cell without end": endless("xlsx", WORKSHEET, "<is><t>", "x"),
    "a sheet of what is no row": endless("xlsx", WORKSHEET, "<sheetData>", "<x/>"),
    "rows without end": endless("xlsx", WORKSHEET, "<sheetData>", "<row/>"),
    "merged cells without end": endless("xlsx", WORKSHEET, "</sheetData>", '<mergeCell ref="A9:B9"/>'),
    "texts without end": endless("xlsx", "xl/sharedStrings.xml", "</si>", "<si><t>ab</t></si>"),
    "columns without end": endless("ods", CONTENT, '<table:table table:name="t">', "<table:table-column/>"),
    "aliases of YAML": lambda place: place.file("datapackage.yaml", TENFOLD + "resources: [{name: t, data: *a9}]\n"),
    "a descriptor of 16 MB": lambda place: place.describe(
        {"name": "t", "data": [["a"], *([7] for _ in range(300_000))], "title": "x" * 14_000_000}
    ),
    "a table of 5 million columns": lambda place: place.describe(
        {"name": "t", "type": "table", "data": [[1] * 5_000_000]}
    ),
    "100,000 resources": lambda place: place.describe(*({"name": f"t{n}", "path": "good.csv"} for n in range(100_000))),
    "100,000 fields": lambda place: place.table("a\n1\n", *(f"f{n}" for n in range(100_000))),
    "a deep descriptor": lambda place: place.file("datapackage.json", '{"resources": ' + "[" * 100_000),
    "an array of 100,000 levels": lambda place: place.table(f"a\n{'[' * 100_000}{']' * 100_000}\n", "a:array"),
    "an array of 500 levels": lambda place: place.table(f"a\n{'[' * 500}{']' * 500}\n", "a:array"),
    "an object of 100,000 levels": lambda place: place.table('a\n"' + '{""a"":' * 100_000 + '"\n', "a:object"),
    "a GeoJSON of 100,000 levels": lambda place: place.table(
        'a\n"{""type"":""Point"",""coordinates"":' + "[" * 100_000 + '"\n', "a:geojson"
    ),
    "JSON rows of 100,000 levels": lambda place: place.table("[" * 100_000, "a", path="t.json", format="json"),
    "a whole number of 5,000 digits": lambda place: place.table(f"a\n{'7' * 5_000}\n", "a:integer"),
    "a number of 5,000 digits": lambda place: place.table(f"a\n0.{'7' * 5_000}\n", "a:number"),
    "a number with a large exponent": lambda place: place.table("a\n1e999999999\n", "a:number"),
    "a length without end": lambda place: place.table(f"a\nP{'9' * 5_000}Y\n", "a:duration"),
    "a quote that never closes": lambda place: place.table('a\n"' + "x\n" * 5_000_000, "a"),
    "a table without line ends": lambda place: place.table("a" * 80_000_000, "a"),
    "a format without end": lambda place: place.describe(
        {
            "name": "t",
            "type": "table",
            "data": [["a"], ["1"]],
            "schema": {"fields": [{"name": "a", "type": "date", "format": "%d" * 5_000}]},
        }
    ),
    "an odd encoding": lambda place: place.table("a\n" + "ab" * 200_000 + "-c\n", "a", encoding="punycode"),
    "a chart of a billion rows": lambda place: place.chart(
        {**BAR, "data": {"sequence": {"start": 0, "stop": 1e9}}, "mark": "point"}
    ),
}


# MB, of those that are large themselves, and of charts, which have a limit of their own.
LARGER = {"a chart of a billion rows": 1_500, "a descriptor of 16 MB": 1_000, "a table of 5 million columns": 1_000}


@pytest.mark.parametrize("what", GROWN)
def test_what_grows_is_bounded(tmp_path: Path, what: str) -> None:
    attacked(tmp_path, GROWN[what], memory=LARGER.get(what, MEMORY))


def test_a_value_of_json_without_end_is_not_read_to_the_end(tmp_path: Path) -> None:
    assert "a value has more than 67,108,864 characters" in attacked(tmp_path, long_text).told


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(.*a){25}b"])
def test_a_pattern_that_takes_for_ever_is_given_up(tmp_path: Path, pattern: str) -> None:
    def attack(place: Place) -> None:
        place.table(f"a\n{'a' * 40}\n", "a", schema=schema("a", pattern=pattern))

    assert "pattern" in attacked(tmp_path, attack, seconds=30).told


# What names can do


NAMES = {
    "an escape": "\x1b]0;owned\x07\x1b[2J",
    "300 letters": "n" * 300,
    "a way up": "../../../outside/made",
    "a way from the root": "/tmp/made",
    "nothing": "\0",
    "another direction": "a\u202egpj.exe",
}


@pytest.mark.parametrize("what", NAMES)
def test_a_name_is_only_a_name(tmp_path: Path, what: str) -> None:
    """Of a package, a table, a field and a chart."""
    name = NAMES[what]

    def attack(place: Place) -> None:
        place.table("id\n1\n1\n", "id")
        chart = {"name": name, "title": name, "resource": name, "spec": BAR}
        table = {"name": name, "type": "table", "path": "t.csv", "schema": {**schema(name, "b"), "primaryKey": [name]}}
        place.describe(table, title=name, **{"lantern:charts": [chart]})

    outcome = attacked(tmp_path, attack)
    assert "\x1b" not in outcome.told


@pytest.mark.parametrize("created", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_utc_cannot_hold_leaves_nothing_behind(tmp_path: Path, created: str) -> None:
    attacked(tmp_path, lambda place: place.describe(created=created))


@pytest.mark.parametrize("created", ["2020-02-30T00:00:00Z", "soon"])
def test_a_time_that_is_none_leaves_nothing_behind(tmp_path: Path, created: str) -> None:
    attacked(tmp_path, lambda place: place.describe(created=created))
