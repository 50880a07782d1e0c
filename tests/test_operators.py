"""Every operator of every type: what an answer holds is what plain Python finds in the cells.

A `Case` is one column: its cells, how Python understands a cell (`means`), what is asked of it, and how Python
understands that (`asks`, in canonical form: ISO 8601, plain digits, true and false). Nothing of
api.model.types is used.
"""

import json
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

import plainly
import pytest
from flask.testing import FlaskClient
from served import all_rows, answer, parameter, problem, rows_path, served

from api.model import types
from api.query.fields import OPERATORS

NULL = "NA"
ORDERED = ("eq", "ne", "lt", "lte", "gt", "gte", "between", "in", "not_in", "isnull")
PARTS = ("contains", "not_contains", "startswith", "endswith", "iexact")
TEXT = (*ORDERED, *PARTS)
FEW = ("eq", "ne", "in", "not_in", "isnull")
STRUCTURED = ("eq", "ne", "isnull")
EVERY = TEXT
ALLOWED = {
    **dict.fromkeys(("string", "any"), TEXT),
    **dict.fromkeys(("integer", "number", "year", "yearmonth", "date", "time", "datetime", "duration"), ORDERED),
    **dict.fromkeys(("boolean", "geopoint"), FEW),
    **dict.fromkeys(("array", "object", "geojson"), STRUCTURED),
    "list": ("eq", "ne", "contains", "not_contains", "isnull"),
}


@dataclass(frozen=True)
class Case:
    name: str
    type: str
    cells: Sequence[str]
    asked: Sequence[str]
    means: Callable[[str], Any]
    asks: Callable[[str], Any]
    shown: Callable[[Any], Any]
    more: dict[str, Any] = field(default_factory=dict)
    fragments: Sequence[str] = ()


def same(value: Any) -> Any:
    return value


LONG = "x" * 40_000
TEXTS = (
    *("", "apple", "Apple", "APPLE", "apple pie", " apple", "apple ", "a,b", "a;b", "a|b", "a%2Cb", "a+b", "a&b=c"),
    *("50%", "50_", "500", "a\\b", "a%b", "a_b", "axb", "\\", "%", "_", "'", '"', '"quoted"', "''", "--", "/", "a/b"),
    *(
        "épée",
        "ÉPÉE",
        "épée",
        "Straße",
        "STRASSE",
        "İstanbul",
        "istanbul",
        "ΣΊΣΥΦΟΣ",
        "σίσυφος",
        "日本",
        "😀",
        "ﬁ",
        "fi",
    ),
    *(
        "null",
        "true",
        "0",
        "-0",
        "007",
        "7",
        "=1+1",
        "@a",
        "a\tb",
        "a\nb",
        "a\r\nb",
        "\x1f",
        "a\x1fb",
        "\x7f",
        "\u2028",
    ),
    *("\ufeff", "\ufffe", "\U0010ffff", "z" * 3000, LONG, NULL, NULL),
)
ASKED_TEXTS = (
    *(text for text in TEXTS if text not in (NULL, LONG, "z" * 3000)),
    "z" * 3000,
    "nothing",
    "NA ",
    "A,B",
)
FRAGMENTS = (
    *("", "a", "A", "P", "pp", "É", "é", "ss", "SS", "ß", "%", "_", "\\", "50%", "a%b", "a_b", "\\b", ",", "a,b", "ς"),
    *(
        "İ",
        "i",
        "Ⅰ",
        "FI",
        "ﬁ",
        "日",
        "😀",
        "'",
        '"',
        "x" * 3500,
        " ",
        "\t",
        "\n",
        "\x1f",
        "\u2028",
        "zz",
        "nothing",
        "nul",
        "in",
    ),
)
WHOLE = (
    *("0", "1", "-1", "2", "10", "100", "007", "+5", "-12", "9007199254740991", "9007199254740992", "9007199254740993"),
    *("9223372036854775806", "9223372036854775807", "-9223372036854775807", "-9223372036854775808", NULL),
)
BEYOND = (
    *("9223372036854775807", "9223372036854775808", "9223372036854775809", "-9223372036854775809", "0", "-1", "1"),
    *(
        "123456789012345678901234567890",
        "123456789012345678901234567891",
        "1234567890123456789012345678901234567891",
        "-123456789012345678901234567890",
        NULL,
    ),
    *("9007199254740993", "1" + "0" * 300, "18446744073709551616", "1000000000000000000000", "99"),
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
    *(
        "123456789012345",
        "12345678.9012345",
        "0.00000000000001",
        "1e22",
        "1e-300",
        "5",
        NULL,
        "-7.25",
        "9007199254740993",
    ),
)
EXACT = (
    *(
        "12345678901234567890",
        "12345678901234567890.5",
        "0.12345678901234567890",
        "0.12345678901234567891",
        "0.1",
        NULL,
    ),
    *("-12345678901234567890", "-0.12345678901234567890", "1", "1.0", "0", "-3", "1e-30", "1e40", "2", "10", "9.99"),
)
ASKED_NUMBERS = (
    *("0", "0.1", "0.3", "0.30000000000000004", "1.5", "-1.5", "1000", "1e3", ".001", "5", "-7.25", "1e999", "-1e999"),
    *("0.1000000000000000055", "0.0999999999999999999", "9007199254740992.5", "9007199254740993", "1" + "0" * 399),
    *(
        "12345678901234567890",
        "12345678901234567890.5",
        "0.12345678901234567890",
        "0.1234567890123456789012345678901234567891",
        "-12345678901234567890",
        "1e40",
    ),
    *("9223372036854775807", "9223372036854775808", "123456789012345678901234567890", "1e-300", "1e22"),
)
DATES = ("2004-02-29", "2000-02-29", "2003-02-28", "2003-03-01", "1999-12-31", "0001-01-01", "9999-12-31", NULL)
SLASHED = ("29/02/2004", "01/03/2003", "31/12/1999", NULL)
TIMES = ("00:00:00", "13:30:00", "13:30:01", "09:05:00", "23:59:59", NULL)
MOMENTS = (
    *("2007-10-01T13:30:00Z", "2007-10-01T13:30:01Z", "2004-02-29T23:59:59Z", "0001-01-01T00:00:00Z", NULL),
    *("9999-12-31T23:59:59Z", "1969-12-31T23:59:59Z"),
)
ZONED = (
    *("2007-10-01T13:30:00Z", "2007-10-01T15:30:00+02:00", "2007-10-01T08:30:00-05:00", "2007-10-01T23:30:00-05:30"),
    *("2007-10-01T13:30:00.5Z", "2007-10-01T13:30:00.000001Z", "2007-10-02T05:00:00Z", NULL),
)
DURATIONS = (
    *("P1Y", "P12M", "P1M", "P30D", "P31D", "P365D", "PT36H", "P1DT12H", "P1D", "PT24H", "PT1S", "PT0S", "P1W", "P7D"),
    *("PT0.5S", "P2Y6M10DT2H30M", NULL),
)


def whole_number(text: str) -> int:
    return int(text)


def number(text: str) -> Fraction:
    """Exact, also where the exponent is large."""
    return Fraction(Decimal(text))


def moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def clock(text: str) -> timedelta:
    """A time of day, as the time passed since midnight UTC."""
    found = time.fromisoformat(text)
    passed = timedelta(hours=found.hour, minutes=found.minute, seconds=found.second, microseconds=found.microsecond) - (
        found.utcoffset() or timedelta()
    )
    return passed % timedelta(days=1)


def seconds(text: str) -> Fraction:
    """A duration; a year has 365.2425 days, a month is its twelfth part."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text)
    days, _, times = rest.removeprefix("P").partition("T")
    year = Fraction(31_556_952)
    sizes = {"Y": year, "M": year / 12, "W": Fraction(604_800), "D": Fraction(86_400)}
    total = sum((Fraction(n) * sizes[u] for n, u in re.findall(r"([\d.]+)([YMWD])", days)), Fraction(0))
    sizes = {"H": Fraction(3600), "M": Fraction(60), "S": Fraction(1)}
    return sign * sum((Fraction(n) * sizes[u] for n, u in re.findall(r"([\d.]+)([HMS])", times)), total)


def point(text: str) -> tuple[float, float]:
    longitude, latitude = text.split(",")
    return float(longitude), float(latitude)


def place(value: tuple[float, float]) -> list[Fraction]:
    return [Fraction(repr(number)) for number in value]


def isoformat(value: Any) -> str:
    return str(value.isoformat())


def zulu(value: datetime) -> str:
    return value.replace(tzinfo=None).isoformat() + "Z"


def time_text(passed: timedelta) -> str:
    return (datetime(2000, 1, 1) + passed).time().isoformat()


def json_number(value: Fraction | int) -> Any:
    """What a reader that keeps every digit reads: see `shown_rows`."""
    return Fraction(value)


TRUTH = {"true": True, "false": False}
CASES = (
    Case("string", "string", TEXTS, ASKED_TEXTS, same, same, same, fragments=FRAGMENTS),
    Case(
        "any", "any", ("", "a", "1", "true", "2007", NULL), ("", "a", "1", "2007"), same, same, same, fragments="a1TR"
    ),
    Case(
        "email", "string", ("a@b.org", "B@b.org", NULL), ("a@b.org", "A@b.org"), same, same, same, {"format": "email"}
    ),
    Case(
        *("uri", "string", ("http://a.org/?q=a,b&c=%20", NULL), ("http://a.org/?q=a,b&c=%20", "http://a.org/")),
        *(same, same, same, {"format": "uri"}, ("HTTP", "a,b", "%20")),
    ),
    Case(
        *("uuid", "string", ("6f1c1f9e-9d1e-4b7a-8d0e-0a1b2c3d4e5f", NULL), ("6f1c1f9e-9d1e-4b7a-8d0e-0a1b2c3d4e5f",)),
        *(same, same, same, {"format": "uuid"}, ("6F1C",)),
    ),
    Case("binary", "string", ("YWJj", "YQ==", NULL), ("YWJj", "YQ==", "ywjj"), same, same, same, {"format": "binary"}),
    Case(
        "integer",
        "integer",
        WHOLE,
        (*WHOLE[:-1], "-3", "9223372036854775808", "-9223372036854775809", "9" * 400),
        int,
        int,
        json_number,
    ),
    Case("beyond", "integer", BEYOND, tuple(c for c in BEYOND if c != NULL) + ("2", "9" * 400), int, int, json_number),
    Case(
        "grouped",
        "number",
        ("1 234", "12", "-5 000 000.5", NULL),
        ("1234", "12", "-5000000.5", "13"),
        lambda t: number(t.replace(" ", "")),
        number,
        json_number,
        {"groupChar": " "},
    ),
    Case(
        "bare",
        "integer",
        ("€95", "5%", "12", NULL),
        ("95", "5", "12"),
        lambda t: int(t.strip("€%")),
        int,
        json_number,
        {"bareNumber": False},
    ),
    Case("number", "number", NUMBERS, ASKED_NUMBERS, number, number, json_number),
    Case("exact", "number", EXACT, ASKED_NUMBERS, number, number, json_number),
    Case(
        *("comma", "number", ("1.234,5", "0,1", "-2", NULL), ("1234.5", "0.1", "-2", "0.2")),
        *(
            lambda t: number(t.replace(".", "").replace(",", ".")),
            number,
            json_number,
            {"groupChar": ".", "decimalChar": ","},
        ),
    ),
    Case(
        "boolean",
        "boolean",
        ("true", "false", "TRUE", "False", "1", "0", NULL),
        ("true", "false"),
        lambda t: t.lower() in ("true", "1"),
        TRUTH.__getitem__,
        same,
    ),
    Case(
        "words",
        "boolean",
        ("sí", "no", NULL),
        ("true", "false"),
        "sí".__eq__,
        TRUTH.__getitem__,
        same,
        {"trueValues": ["sí"], "falseValues": ["no"]},
    ),
    Case(
        "date",
        "date",
        DATES,
        (*DATES[:-1], "2004-03-01", "2001-01-01"),
        date.fromisoformat,
        date.fromisoformat,
        isoformat,
    ),
    Case(
        *("slashed", "date", SLASHED, ("2004-02-29", "2003-03-01", "2000-01-01")),
        *(lambda t: datetime.strptime(t, "%d/%m/%Y").date(), date.fromisoformat, isoformat, {"format": "%d/%m/%Y"}),
    ),
    Case(
        "time",
        "time",
        TIMES,
        (*TIMES[:-1], "13:30", "13:30:00Z", "15:30:00+02:00", "00:30:00+01:00", "13:30:00.5"),
        clock,
        clock,
        time_text,
    ),
    Case(
        *("hours", "time", ("9.05", "13.30", NULL), ("09:05:00", "13:30", "10:00:00")),
        *(lambda t: clock(f"{t.replace('.', ':'):0>5}"), clock, time_text, {"format": "%H.%M"}),
    ),
    Case(
        "datetime",
        "datetime",
        MOMENTS,
        (
            *(c for c in MOMENTS if c != NULL),
            "2007-10-01T13:30:00",
            "2007-10-01 13:30:00Z",
            "2007-10-01T15:30:00+02:00",
            "2007-10-01T13:30:00.5Z",
        ),
        moment,
        moment,
        zulu,
    ),
    Case(
        "zoned",
        "datetime",
        ZONED,
        (*(c for c in ZONED if c != NULL), "2007-10-01T13:30:00.25+00:00", "2007-10-01"[:10] + "T13:30"),
        moment,
        moment,
        zulu,
        {"format": "any"},
    ),
    Case(
        *(
            "written",
            "datetime",
            ("1 Oct 2007 13:30", "29 Feb 2004 00:00", NULL),
            ("2007-10-01T13:30:00Z", "2004-02-29T00:00Z"),
        ),
        *(
            lambda t: datetime.strptime(t, "%d %b %Y %H:%M").replace(tzinfo=UTC),
            moment,
            zulu,
            {"format": "%d %b %Y %H:%M"},
        ),
    ),
    Case(
        "year",
        "year",
        ("2007", "1999", "2000", "0044", NULL),
        ("2007", "1999", "2001", "44", "-44", "0", "999999999"),
        int,
        int,
        json_number,
    ),
    Case(
        "yearmonth",
        "yearmonth",
        ("2007-03", "2007-11", "1999-12", NULL),
        ("2007-03", "2007-3", "2007-12", "1999-01"),
        same,
        lambda t: f"{t[:4]}-{int(t[5:]):02d}",
        same,
    ),
    Case("duration", "duration", DURATIONS, (*DURATIONS[:-1], "PT3600S", "P1.5D", "PT86400S"), seconds, seconds, None),
    Case(
        *("list", "list", ("a,b", "b,a", "a", "A", "a,b,c", "", "50%", NULL), ("a,b", "a", "b,a", "c", "", "50%")),
        *(lambda t: t.split(","), lambda t: t.split(","), same, {}, ("a", "b", "A", "c", "50%", "%", "_", "nothing")),
    ),
    Case(
        *("numbers", "list", ("1;2", "2;1", "10", "-3", NULL), ("1,2", "10", "-3", "2")),
        *(lambda t: [int(p) for p in t.split(";")], lambda t: [int(p) for p in t.split(",")], same),
        *({"delimiter": ";", "itemType": "integer"}, ("1", "2", "10", "3", "-3", "01")),
    ),
    Case(
        "array",
        "array",
        ('["a",1]', '[1, "a"]', "[]", '[{"b":1,"a":[]}]', '["é"]', NULL),
        ('["a", 1]', "[]", '[{"a":[],"b":1}]', '["\\u00e9"]', "[2]"),
        json.loads,
        json.loads,
        same,
    ),
    Case(
        "object",
        "object",
        ('{"a":1,"b":2}', '{"b": 2, "a": 1}', "{}", '{"a":null}', NULL),
        ('{"b":2,"a":1}', "{}", '{"a":null}', '{"a":2}'),
        json.loads,
        json.loads,
        same,
    ),
    Case(
        *(
            "geojson",
            "geojson",
            ('{"type":"Point","coordinates":[1.5,2]}', '{"coordinates": [1.5, 2], "type": "Point"}', NULL),
        ),
        *(
            ('{"type":"Point","coordinates":[1.5,2]}', '{"type":"Point","coordinates":[2,1.5]}'),
            json.loads,
            json.loads,
            same,
        ),
    ),
    Case(
        "geopoint",
        "geopoint",
        ("-99.13,19.43", "0,0", "180,-90", "90.5, 45.5", NULL),
        ("-99.13,19.43", "0,0", "0.0,0", "90.50,45.5", "1,1"),
        point,
        point,
        place,
    ),
    Case(
        "points",
        "geopoint",
        ("[-99.13, 19.43]", "[0,0]", NULL),
        ("-99.13,19.43", "0,0", "1,1"),
        lambda t: tuple(json.loads(t)),
        point,
        place,
        {"format": "array"},
    ),
    Case(
        "places",
        "geopoint",
        ('{"lon": -99.13, "lat": 19.43}', NULL),
        ("-99.13,19.43", "0,0"),
        lambda t: (json.loads(t)["lon"], json.loads(t)["lat"]),
        point,
        place,
        {"format": "object"},
    ),
)
BY_NAME = {case.name: case for case in CASES}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """One table a case, with the column `v` beside a key; NA is what stands for a missing value."""
    tables = []
    for case in CASES:
        fields = [{"name": "n", "type": "integer"}, {"name": "v", "type": case.type, **case.more}]
        schema = {"fields": fields, "primaryKey": ["n"], "missingValues": [NULL]}
        rows = [[str(n), cell] for n, cell in enumerate(case.cells)]
        tables.append({"name": case.name, "schema": schema, "rows": rows})
    return served(tmp_path_factory.mktemp("operators"), *tables)


def found(client: FlaskClient, case: Case, *conditions: str) -> list[int]:
    body = answer(client, rows_path(case.name, "&".join([*conditions, "fields=n", "limit=1000"])))
    numbers = [row["n"] for row in body["data"]]
    assert body["meta"]["total"] == len(numbers)
    return numbers


def expected(case: Case, holds: Callable[[Any], bool]) -> list[int]:
    """The rows that have a value for which a condition holds."""
    return [n for n, cell in enumerate(case.cells) if cell != NULL and holds(case.means(cell))]


def comparisons(*names: str) -> list[Any]:
    return [
        pytest.param(case, name, text, id=f"{case.name}-{name}-{position}")
        for case in CASES
        for name in names
        if name in ALLOWED[case.type]
        for position, text in enumerate(case.asked)
    ]


@pytest.mark.parametrize(("case", "name", "text"), comparisons("eq", "ne", "lt", "lte", "gt", "gte"))
def test_a_comparison_gives_the_rows_for_which_it_holds(client: FlaskClient, case: Case, name: str, text: str) -> None:
    compare = getattr(operator, {"lte": "le", "gte": "ge"}.get(name, name))
    wanted = expected(case, lambda value: compare(value, case.asks(text)))
    assert found(client, case, parameter(f"v__{name}", text)) == wanted


@pytest.mark.parametrize(("case", "name", "text"), comparisons("eq"))
def test_a_field_alone_is_equality(client: FlaskClient, case: Case, name: str, text: str) -> None:
    assert found(client, case, parameter("v", text)) == expected(case, lambda value: value == case.asks(text))


@pytest.mark.parametrize("case", [c for c in CASES if "in" in ALLOWED[c.type]], ids=lambda case: case.name)
@pytest.mark.parametrize("name", ["in", "not_in"])
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_list_of_values_holds_or_leaves_out_each(client: FlaskClient, case: Case, name: str, size: int) -> None:
    texts = [text for text in case.asked if len(text) < 100]
    assert texts
    for start in range(0, len(texts), size):
        part = texts[start : start + size]
        if part == [""]:  # an empty `in` is refused: see test_strictness
            part = ["", ""]
        asked = [case.asks(text) for text in part]
        wanted = expected(case, lambda value: (value in asked) == (name == "in"))  # noqa: B023
        assert found(client, case, parameter(f"v__{name}", *part)) == wanted


@pytest.mark.parametrize(
    ("case", "name", "text"),
    [
        pytest.param(case, name, text, id=f"{case.name}-{name}-{position}")
        for case in CASES
        for name in PARTS
        if name in ALLOWED[case.type] and case.type != "list"
        for position, text in enumerate(case.fragments)
    ],
)
def test_parts_of_text_are_found_whatever_their_case(client: FlaskClient, case: Case, name: str, text: str) -> None:
    assert found(client, case, parameter(f"v__{name}", text)) == expected(case, lambda v: plainly.holds(v, name, text))


@pytest.mark.parametrize(
    ("case", "text"),
    [
        pytest.param(case, text, id=f"{case.name}-{text}")
        for case in CASES
        if case.type == "list"
        for text in case.fragments
    ],
)
def test_a_list_contains_whole_items(client: FlaskClient, case: Case, text: str) -> None:
    [item] = case.asks(text)
    assert found(client, case, parameter("v__contains", text)) == expected(case, lambda value: item in value)
    assert found(client, case, parameter("v__not_contains", text)) == expected(case, lambda value: item not in value)


@pytest.mark.parametrize("case", [c for c in CASES if "between" in ALLOWED[c.type]], ids=lambda case: case.name)
def test_between_holds_both_ends(client: FlaskClient, case: Case) -> None:
    texts = [text for text in case.asked if len(text) < 100]
    for low, high in zip(texts, texts[1:] + texts[:1], strict=True):
        least, most = case.asks(low), case.asks(high)
        wanted = expected(case, lambda value: least <= value <= most)  # noqa: B023
        assert found(client, case, parameter("v__between", low, high)) == wanted


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_null_is_found_by_isnull_and_by_nothing_else(client: FlaskClient, case: Case) -> None:
    nulls = [n for n, cell in enumerate(case.cells) if cell == NULL]
    assert found(client, case, "v__isnull=true") == nulls
    assert found(client, case, "v__isnull=false") == [n for n in range(len(case.cells)) if n not in nulls]


@pytest.mark.parametrize(
    "case", [c for c in CASES if "lt" in ALLOWED[c.type] or c.type == "boolean"], ids=lambda case: case.name
)
@pytest.mark.parametrize("down", [False, True], ids=["up", "down"])
def test_a_sort_is_that_of_the_values_with_nulls_last(client: FlaskClient, case: Case, down: bool) -> None:
    valued = [(case.means(cell), n) for n, cell in enumerate(case.cells) if cell != NULL]
    ordered = (
        sorted(valued, key=lambda entry: entry[0], reverse=down)
        if not down
        else sorted(sorted(valued, key=lambda entry: entry[1]), key=lambda entry: entry[0], reverse=True)
    )
    nulls = [n for n, cell in enumerate(case.cells) if cell == NULL]
    sort = "sort=-v" if down else "sort=v"
    assert found(client, case, sort) == [n for _, n in ordered] + nulls
    assert [row["n"] for row in all_rows(client, rows_path(case.name, f"{sort}&limit=3&fields=n"))] == found(
        client, case, sort
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_cell_is_the_json_value_that_it_means(client: FlaskClient, case: Case) -> None:
    response = client.get(rows_path(case.name, "limit=1000"))
    rows = json.loads(response.data, parse_int=Fraction, parse_float=lambda text: Fraction(Decimal(text)))["data"]
    shown = case.shown or same
    means = case.means if case.shown else same
    assert [(row["n"], row["v"]) for row in rows] == [
        (n, None if cell == NULL else shown(means(cell))) for n, cell in enumerate(case.cells)
    ]


@pytest.mark.parametrize(
    ("case", "name"),
    [
        pytest.param(case, name, id=f"{case.name}-{name}")
        for case in CASES
        for name in EVERY
        if name not in ALLOWED[case.type]
    ],
)
def test_an_operator_that_a_type_does_not_have_is_refused_and_says_what_it_is_for(
    client: FlaskClient, case: Case, name: str
) -> None:
    body = problem(client, rows_path(case.name, f"v__{name}=1"))
    assert body["type"] == "/problems/unknown-parameter"
    (error,) = body["errors"]
    assert error["parameter"] == f"v__{name}"
    assert error["reason"].startswith(f"{name} is for ")


BAD = {
    "integer": ("", " ", "abc", "1.5", "1e3", "0x10", "1_000", "１", "--1", "1" * 401, "NaN", "∞", " 1", "1 "),
    "number": ("", "abc", "1,5", "Infinity", "+inf", "-nan", "1e", "1e1000", "0x1p3", "1_0", "٣", "1" * 401, "."),
    "boolean": ("", "TRUE", "True", "1", "0", "yes", "null"),
    "date": (
        "",
        "2003-02-29",
        "2007-13-01",
        "2007-1-1",
        "20071001",
        "2007-W40-1",
        "2007-10-01T00:00:00",
        "0000-01-01",
        "２００７-10-01",
    ),
    "slashed": ("29/02/2004", "2007-02-30"),
    "time": ("", "24:00:01", "25:00", "noon", "13h30", "13:30:00+25:00"),
    "datetime": (
        "",
        "2007-10-01",
        "2003-02-29T00:00:00Z",
        "now",
        "2007-10-01T25:00:00Z",
        "1191245400",
        "0001-01-01T00:00:00+10:00",
    ),
    "year": ("", "abc", "2007.5", "1e3", "20O7", "1234567890", "+2007"),
    "yearmonth": ("", "2007", "2007-13", "2007-00", "2007-03-01", "March"),
    "duration": ("", "P", "PT", "1Y", "P1S", "PT1D", "P1YT", "one day"),
    "numbers": ("a", "1,a", "1;2", ""),
    "array": ("", "a", "{}", "[", "[NaN]", "[" * 1200),
    "object": ("", "[]", "{", '{"a":Infinity}', '{"a":' * 300),
    "geojson": ("", "[]", "Point"),
    "geopoint": ("", "1", "a,b", "181,0", "0,91", "1,2,3", "nan,nan", "inf,0", "[0,0]"),
}


@pytest.mark.parametrize(
    ("name", "text"), [pytest.param(n, t, id=f"{n}-{i}") for n, texts in BAD.items() for i, t in enumerate(texts)]
)
def test_a_value_that_is_none_of_the_type_is_refused_by_name(client: FlaskClient, name: str, text: str) -> None:
    body = problem(client, rows_path(name, parameter("v__eq", text)))
    assert (body["status"], body["type"]) == (400, "/problems/invalid-parameter")
    assert [entry["parameter"] for entry in body["errors"]] == ["v__eq"]


@pytest.mark.parametrize("text", ["", "1", "0", "yes", "null"])
def test_isnull_is_true_or_false(client: FlaskClient, text: str) -> None:
    body = problem(client, rows_path("string", parameter("v__isnull", text)))
    assert body["errors"] == [{"parameter": "v__isnull", "reason": "expected true or false"}]


def test_isnull_is_written_in_any_case(client: FlaskClient) -> None:
    case = BY_NAME["string"]
    for text in ("True", "TRUE", "False"):  # as Python and R write it
        assert found(client, case, f"v__isnull={text}") == found(client, case, f"v__isnull={text.lower()}")


def test_commas_that_part_values_and_those_inside_them_are_told_apart(client: FlaskClient) -> None:
    case = BY_NAME["string"]
    assert found(client, case, "v__in=a%2Cb,apple") == expected(case, lambda value: value in ("a,b", "apple"))
    assert found(client, case, "v__in=a%2cb") == expected(case, lambda value: value == "a,b")
    assert found(client, case, "v__in=a%252Cb") == expected(case, lambda value: value == "a%2Cb")
    assert found(client, case, "v__in=a,b") == []
    assert found(client, case, "v=a,b") == found(client, case, "v=a%2Cb") == expected(case, "a,b".__eq__)


def test_a_null_character_is_refused_and_harms_nothing(client: FlaskClient) -> None:
    for query in ("v=a%00b", "v__contains=%00", "v__in=a,%00", "%00=a", "q=%00"):
        assert problem(client, rows_path("string", query))["type"] == "/problems/invalid-parameter"


def test_filters_are_all_true_at_once(client: FlaskClient) -> None:
    case = BY_NAME["integer"]
    conditions = ("v__gte=-1", "v__lt=100", "v__ne=1", "v__not_in=2,0")
    assert found(client, case, *conditions) == expected(case, lambda v: -1 <= v < 100 and v not in (1, 2, 0))


def test_time_zones_of_questions_are_heeded(client: FlaskClient) -> None:
    case = BY_NAME["zoned"]
    noon = datetime(2007, 10, 1, 15, 30, tzinfo=timezone(timedelta(hours=2)))
    assert found(client, case, parameter("v", noon.isoformat())) == [0, 1, 2]


def test_the_operators_that_are_tested_are_all_there_are() -> None:
    assert {*ALLOWED} == {*types.TYPES}
    for kind, names in ALLOWED.items():
        assert {name for name, operator in OPERATORS.items() if kind in operator.types} == {*names}, kind
