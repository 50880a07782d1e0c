"""The three packages that the oracle asks (tests/oracle.py): our own, one of awkward kinds, and a large one.

All are the same wherever and whenever they are made: every random choice has a fixed seed. Whoever changes one here
(or the awkward rows of tests/release_made.py) records the oracle again.
"""

import json
import random
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from packages import table, write
from release_made import AWKWARD_FIELDS, AWKWARD_ROWS

OWN = Path(__file__).resolve().parents[1] / "datapackage"
OWN_VERSION = "1.1.0"  # what "the latest" is for the oracle, whatever was released since
CREATED = "2026-03-04T05:06:08Z"
LICENCES = [{"name": "CC0-1.0", "title": "CC0", "path": "https://creativecommons.org/publicdomain/zero/1.0/"}]
Row = list[str]
Table = dict[str, Any]
LARGE_ROWS = 20_000
FIGURE_ROWS = 6_000


def own(folder: Path) -> Path:
    """Our package as it was when OWN_VERSION was the latest; later ones carry that version in their history."""
    latest = json.loads((OWN / "datapackage.json").read_bytes())["version"]
    source = OWN if latest == OWN_VERSION else OWN / "history" / OWN_VERSION
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("history"))
    for earlier in ("1.0.0",):
        shutil.copytree(OWN / "history" / earlier, folder / "history" / earlier)
    return folder


# Awkward kinds

TEXTS = (
    *("", "apple", "Apple", "APPLE", "apple pie", " apple", "apple ", "a,b", "a;b", "a|b", "a%2Cb", "a+b", "a&b=c"),
    *("50%", "50_", "500", "a\\b", "a%b", "a_b", "axb", "\\", "%", "_", "'", '"', '"quoted"', "''", "--", "/", "a/b"),
    *("épée", "ÉPÉE", "e\u0301pe\u0301e", "Straße", "STRASSE", "İstanbul", "istanbul", "ΣΊΣΥΦΟΣ", "σίσυφος", "日本"),
    *("😀", "ﬁ", "fi", "null", "true", "0", "-0", "007", "7", "=1+1", "@a", "a\tb", "a\nb", "a\r\nb", "\x1f", "\x7f"),
    *("\u2028", "\ufeff", "\ufffe", "\U0010ffff", "z" * 3000, "a* OR b", "NEAR(a b)", "Zürich", "zurich", "NA", "NA"),
)
WHOLES = (
    *("0", "1", "-1", "2", "10", "007", "+5", "9007199254740991", "9007199254740992", "9007199254740993", "NA"),
    *("9223372036854775806", "9223372036854775807", "-9223372036854775807", "-9223372036854775808"),
)
BEYOND = (
    *(
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775809",
        "0",
        "-1",
        "1",
        "NA",
        "18446744073709551616",
    ),
    *("123456789012345678901234567890", "123456789012345678901234567891", "-123456789012345678901234567890"),
    *("1" + "0" * 300, "9007199254740993", "1000000000000000000000", "99"),
)
NUMBERS = (
    *(
        "0",
        "0.1",
        "0.2",
        "0.3",
        "0.30000000000000004",
        "1.50",
        "1.5",
        "-1.5",
        "-0",
        "-0.0",
        "1e3",
        "1000",
        "1E-3",
        ".5",
    ),
    *("123456789012345", "12345678.9012345", "0.00000000000001", "1e22", "1e-300", "5", "NA", "-7.25"),
)
EXACT = (
    *(
        "12345678901234567890",
        "12345678901234567890.5",
        "0.12345678901234567890",
        "0.12345678901234567891",
        "0.1",
        "NA",
    ),
    *("-12345678901234567890", "-0.12345678901234567890", "1", "1.0", "0", "-3", "1e-30", "1e40", "2", "10", "9.99"),
)
AMOUNTS = ("0.10", "12.50", "-3.25", "1000000", "99999999999.99", "NA", "0", "7.1", "7.10", "0.01")
TIMES = ("13:30:00", "13:30:00.5", "00:00:00", "23:59:59.999999", "13:30:00+02:00", "NA", "06:07:08Z")
MOMENTS = (
    *("2007-10-01T13:30:00Z", "2007-10-01T13:30:00.5Z", "2007-10-01T15:30:00+02:00", "2007-10-01 13:30:00", "NA"),
    *("1850-01-01T00:00:00Z", "2007-10-01T13:30:00.000001Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"),
)
DURATIONS = (
    "P1Y",
    "P12M",
    "P365D",
    "PT36H",
    "P1DT12H",
    "PT0.5S",
    "-P1D",
    "P0D",
    "NA",
    "P1Y2M3DT4H5M6S",
    "P2W",
    "PT1.50S",
)
LISTS = ("a,b", "b,a", "A", "", "a", "épée,日本", "a,a", "NA", "a b,c", "😀")
OBJECTS = ("{}", '{"b": 1, "a": [2.50, null]}', '{"a":[2.50,null],"b":1}', "NA", '{"ß": "é", "n": 1e3}')
ARRAYS = ("[]", "[1, 2]", '["1", 2]', "[[1], {}]", "NA", "[1.0]", "[true, null]")
POINTS = ("0,0", "-99.13,19.43", "-99.130, 19.43", "180,90", "-180,-90", "NA", "1e1,2")
SHAPES = ('{"type": "Point", "coordinates": [1, 2]}', '{"coordinates": [1, 2], "type": "Point"}', "NA")
DAYS = ("2004-02-29", "1999-12-31", "2007-10-01", "0001-01-01", "9999-12-31", "NA")
POOLS: dict[str, Sequence[str]] = {
    **{"string": TEXTS, "any": TEXTS, "integer": WHOLES, "number": NUMBERS, "boolean": ("true", "false", "NA")},
    **{"year": ("1999", "2007", "2024", "0001", "9999", "NA"), "yearmonth": ("1999-12", "2007-3", "2007-03", "NA")},
    **{"date": DAYS, "time": TIMES, "datetime": MOMENTS, "duration": DURATIONS, "list": LISTS, "object": OBJECTS},
    **{"array": ARRAYS, "geopoint": POINTS, "geojson": SHAPES},
}
NAMED_LIKE_PARAMETERS = ("limit", "sort", "fields", "q", "cursor", "version", "as_of", "expand", "facet", "measure")


def awkward(folder: Path) -> Path:
    """Every type of field, odd names, every kind of key, nulls, lists, points, numbers that no double holds."""
    dice = random.Random("awkward")
    every = [f"{kind}:{kind}" for kind in POOLS]
    pairs = [
        [a, str(b), day] for a in ("a,b", "a", "b/c", "é", "%2C", "50%", "k ") for b in range(-4, 9) for day in DAYS[:5]
    ]
    keyless = [[dice.choice(TEXTS), dice.choice(TEXTS), dice.choice(("x", "y", "NA")), str(n % 3)] for n in range(400)]
    numbers = [
        [str(2**64 + n), *(dice.choice(pool) for pool in (WHOLES, BEYOND, NUMBERS, EXACT, AMOUNTS)), "uvw"[n % 3]]
        for n in range(300)
    ]
    like = [[str(n), *(str(dice.randrange(5)) for _ in range(len(NAMED_LIKE_PARAMETERS) + 4))] for n in range(60)]
    long = "[пусто]: a/name? that is far too long for a sheet"
    return _written(
        folder,
        _order_by(dice),
        {**_table("refers to it", ["n:integer", "to"], _referring(dice)), "path": "data/refers.csv", **_to_order_by()},
        {**_table(long, [f"column {i}" for i in range(60)], [], primaryKey=[]), "path": "data/empty.csv"},
        _table("every type", ["id:integer", *every], _cells(dice, 1_000, [POOLS[kind] for kind in POOLS])),
        _table("pairs", ["first", "second:integer", "third:date", *every[:6]], _paired(dice, pairs), key=3),
        _table("keyless", ["text", "other", "few", "n:integer"], keyless, primaryKey=[]),
        _table("numbers", _numeric_fields(), numbers),
        _table("named like parameters", _odd_fields(), like),
        _table("truths", ["yes:boolean", "no", "point:geopoint"], [["true", "x", "1,2"], ["false", "x", "NA"]], key=2),
        *_disagreement(),
        name="awkward",
        title='Odd: "names" & more',
        version="1.2.3",
    )


def _table(name: str, fields: Sequence[str], rows: list[Row], key: int = 1, **schema: Any) -> Table:
    """A table whose first `key` fields are its key, and whose missing value is NA."""
    keys = [field.split(":")[0] for field in fields[:key]]
    made = table(name, fields, rows, **{"primaryKey": keys, "missingValues": ["NA"], **schema})
    return {**made, "path": f"data/{name.replace(' ', '-')[:20]}.csv"}


def _numeric_fields() -> list[str]:
    return ["id:integer", "whole:integer", "beyond:integer", "number:number", "exact:number", "amount:number", "few"]


def _odd_fields() -> list[str]:
    return [*(f"{name}:integer" for name in ("id", *NAMED_LIKE_PARAMETERS)), "a", "a__eq", "count:number", "-a"]


def _cells(dice: random.Random, rows: int, pools: Sequence[Sequence[str]]) -> list[Row]:
    """Rows of a number and a cell of each pool, in no order."""
    cells = [[str(n), *(dice.choice(pool) for pool in pools)] for n in range(rows)]
    dice.shuffle(cells)
    return cells


def _paired(dice: random.Random, keys: Sequence[Row]) -> list[Row]:
    rows = [[*key, *(dice.choice(POOLS[kind]) for kind in list(POOLS)[:6])] for key in keys]
    dice.shuffle(rows)
    return rows


def _order_by(dice: random.Random) -> Table:
    """The awkward table of tests/release_made.py as far as it is valid, and 300 more rows made of its own cells."""
    valid = {"13:30": "13:30:00", "-0044": "1944", "$1 234": "$1234"}
    valid['{"type": "Point", "coordinates": []}'] = '{"type": "Point", "coordinates": [-1.50, 2]}'
    rows = [[valid.get(cell, cell) for cell in row[:-1]] for row in AWKWARD_ROWS]
    columns = list(zip(*rows, strict=True))
    more = [[f"k{n},{n % 7}/é", *(dice.choice(column) for column in columns[1:])] for n in range(300)]
    schema = {"fields": AWKWARD_FIELDS[:-1], "primaryKey": ["Clave única"], "missingValues": ["NA"]}
    return {"name": "Order By", "schema": schema, "rows": [*rows, *more], "path": "data/order_by.csv"}


def _referring(dice: random.Random) -> list[Row]:
    return [[str(n), dice.choice(("a", "b", "c", f"k{n},{n % 7}/é", "NA"))] for n in range(200)]


def _to_order_by() -> Table:
    fields = [{"name": "n", "type": "integer"}, {"name": "to", "type": "string"}]
    key = {"fields": ["to"], "reference": {"resource": "Order By", "fields": ["Clave única"]}}
    return {"schema": {"fields": fields, "primaryKey": ["n"], "foreignKeys": [key], "missingValues": ["NA"]}}


def _disagreement() -> list[Table]:
    """Conflicts whose key is a number, positions that name nothing, and corrections of which one retracts a row."""
    conflicts = [[str(n), "numbers", f"Topic {n}", "NA" if n % 2 else "because, ß"] for n in range(1, 8)]
    positions = [[str(n % 8 + 1), "truths" if n % 5 == 0 else "numbers", str(2**64 + n)] for n in range(20)]
    corrections = [
        *(["c1", "numbers", "7", "NA", "NA", "NA", "retraction", "not a number", "2026-03-04", "1.2.3"],),
        *(["c2", "numbers", str(2**64), "whole", "1", "2", "correction", "a slip", "2026-03-04", "1.2.3"],),
        *(["c3", "pairs", "a,1,2004-02-29", "NA", "NA", "NA", "retraction", "é", "2026-03-03", "1.2.3"],),
    ]
    ledger = ["id", "dataset", "record", "field", "old", "new", "kind", "reason", "date:date", "version"]
    return [
        _table("conflicts", ["id:integer", "dataset", "topic", "resolution"], conflicts),
        _table("conflict_positions", ["conflict:integer", "dataset", "record"], positions, key=3),
        _table("corrections", ledger, corrections),
    ]


# A large table

WORDS = (
    *("rifle", "Rifles", "straße", "STRASSE", "été", "Ete", "año", "Ünïcode", "unicode", "pistol", "export", "exports"),
    *("Zürich", "zurich", "naïve", "café", "CAFÉ", "日本", "😀", "Łódź", "lodz", "señor", "co-op", "o'clock", "1999"),
    *("delivery", "deliver", "ammunition", "Ammo", "border", "BORDER", "trace", "traced", "İstanbul", "x", "Æsir"),
)
KINDS = ("Straße", "STRASSE", "strasse", "été", "Été", "a,b", "a", "A", "😀", "Ünïcode", "", "it's", "50%", '"q"')
FIELDS = (
    *("n:integer", "kind", "known:boolean", "year:year", "level:integer", "place", "month:yearmonth", "day:date"),
    *("clock:time", "moment:datetime", "length:duration", "amount:number", "exact:number", "big:integer"),
    *("double:number", "title", "code", "anything:any", "tags:list", "point:geopoint", "thing:object"),
    *("several:array", "shape:geojson"),
)
SERIES, REGIONS, PLACES = 30, ("north", "South", "Éast", "west", "süd", "center", "n/a", "WLD"), 300


def large(folder: Path) -> Path:
    """A table of 20,000 rows with every type, figures that must not all be added, and the tables that both refer to."""
    dice = random.Random("large")
    places = [
        [f"p{n:03}", f"{dice.choice(WORDS)} {n}", dice.choice(REGIONS), _point(dice), str(n * n * 7)]
        for n in range(PLACES)
    ]
    events = [_event(dice, n) for n in range(LARGE_ROWS)]
    dice.shuffle(events)
    return _written(
        folder,
        table("events", FIELDS, events, foreignKeys=[_key("place", "places", "id")]),
        table("places", ["id", "name", "region", "at:geopoint", "people:integer"], places),
        _figures(dice),
        table("series", ["id", "title", "unit", "additive"], _series()),
        name="large",
        title="Large",
        version="2.0.0",
    )


def _key(field: str, resource: str, to: str) -> dict[str, Any]:
    return {"fields": [field], "reference": {"resource": resource, "fields": [to]}}


def _event(dice: random.Random, n: int) -> Row:
    """One row of events; most fields are sometimes missing."""

    def maybe(made: Callable[[random.Random], str], absent: float = 0.06) -> str:
        return "" if dice.random() < absent else made(dice)

    return [
        str(n),
        maybe(lambda d: d.choice(KINDS)),
        maybe(lambda d: d.choice(("true", "false")), 0.3),
        maybe(lambda d: str(2000 + min(d.randrange(20), d.randrange(20)))),
        maybe(lambda d: str(d.randrange(-2, 8)), 0.01),
        maybe(lambda d: f"p{d.randrange(PLACES):03}"),
        maybe(lambda d: f"{2000 + d.randrange(20)}-{1 + d.randrange(12):02}"),
        maybe(lambda d: (date(1995, 1, 1) + timedelta(days=d.randrange(4_000))).isoformat()),
        maybe(lambda d: f"{d.randrange(24):02}:{d.randrange(60):02}:00" + d.choice(("", "", ".5", ".000001"))),
        maybe(_moment),
        maybe(_duration, 0.2),
        maybe(lambda d: f"{d.randrange(-5_000, 90_000) / 100:.2f}"),
        maybe(lambda d: f"{d.randrange(-9, 10)}{d.randrange(10**17):017}.{d.randrange(10**8):08}"),
        maybe(lambda d: str(d.choice((-1, 1)) * d.randrange(2**63))),
        maybe(lambda d: repr(d.choice((1e-9, 1.0, 1e12)) * d.random())),
        maybe(
            lambda d: " ".join(d.choice(WORDS) for _ in range(d.randrange(1, 7))) + d.choice(("", ".", "!", f" {n}"))
        ),
        f"{dice.choice('abAB')}-{n * 7919 % LARGE_ROWS:05}",
        maybe(lambda d: d.choice(("1", "one", "1.0", "true", "é", f"any {d.randrange(900)}"))),
        maybe(lambda d: ",".join(d.choice(WORDS) for _ in range(d.randrange(1, 4)))),
        maybe(_point, 0.3),
        maybe(lambda d: json.dumps({"b": d.randrange(9), "a": d.choice(WORDS)}, ensure_ascii=False), 0.5),
        maybe(lambda d: json.dumps([d.randrange(9), d.choice((None, True, 1.5))]), 0.5),
        maybe(lambda d: json.dumps({"type": "Point", "coordinates": [d.randrange(9), d.randrange(9)]}), 0.5),
    ]


def _point(dice: random.Random) -> str:
    return f"{dice.randrange(-1800, 1800) / 10},{dice.randrange(-90, 90)}"


def _moment(dice: random.Random) -> str:
    moment = datetime(2001, 1, 1, tzinfo=UTC) + timedelta(seconds=dice.randrange(10**8))
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return (
        text + dice.choice(("", f".{dice.randrange(1, 10**6):06}", ".5")) + dice.choice(("Z", "", "+02:00", "-05:30"))
    )


def _duration(dice: random.Random) -> str:
    forms = ("P{}D", "PT{}H", "P{}M", "P{}Y", "PT{}.5S", "P1Y{}M", "-P{}D", "P{}W")
    return dice.choice(forms).format(dice.randrange(40))


def _figures(dice: random.Random) -> Table:
    """Figures with periods, which may be added within a series, a unit and a standing, if their series allows it."""
    fields = ["id", "series", "unit", "region", "standing", "year:year", "period_type", "period_start:date"]
    fields += ["period_end:date", "value:number", "low:number", "note"]
    rows = [_figure(dice, n) for n in range(FIGURE_ROWS)]
    dice.shuffle(rows)
    made = table(
        "figures", fields, rows, foreignKeys=[_key("series", "series", "id"), _key("region", "regions", "id")][:1]
    )
    value = next(field for field in made["schema"]["fields"] if field["name"] == "value")
    value["lantern:additiveWithin"] = ["series", "unit", "region", "standing"]
    value["lantern:additiveIf"] = {"through": "series", "resource": "series", "field": "additive", "equals": "yes"}
    parts = {"value": "value", "year": "year", "periodType": "period_type"}
    made["schema"]["lantern:figure"] = {**parts, "periodStart": "period_start", "periodEnd": "period_end"}
    return made


def _figure(dice: random.Random, n: int) -> Row:
    """The first 4,800 are one for each series, region and year; the others compete with them or cover longer spans."""
    series, region, year = n % SERIES, REGIONS[n // SERIES % len(REGIONS)], 2000 + n // (SERIES * len(REGIONS)) % 20
    rival = n >= SERIES * len(REGIONS) * 20
    standing = ("alternative" if n % 2 else "context") if rival else "preferred"
    kind = dice.choice(("calendar_year", "span", "undated")) if rival else "calendar_year"
    start, end = {
        "calendar_year": (f"{year}-01-01", f"{year}-12-31"),
        "span": (f"{year}-03-05", f"{year + 1}-06-07"),
    }.get(kind, ("", ""))
    value = "" if dice.random() < 0.05 else f"{dice.randrange(10**7) / 100:.2f}"
    low = f"{dice.randrange(1000)}" if not value or dice.random() < 0.1 else ""
    period = [str(year) if kind == "calendar_year" else "", kind, start, end]
    return [f"f-{n:05}", f"s{series:02}", _unit(series), region, standing, *period, value, low, dice.choice(WORDS)]


def _unit(series: int) -> str:
    return ("USD", "MXN", "firearms", "share")[series % 4]


def _series() -> list[Row]:
    return [[f"s{n:02}", f"Series {n}: {WORDS[n]}", _unit(n), "no" if n % 5 == 3 else "yes"] for n in range(SERIES)]


def _written(folder: Path, *tables: Table, **words: Any) -> Path:
    return write(folder, *tables, created=CREATED, licenses=LICENCES, **words)
