"""The questions that the oracle asks of a package: of every kind, made of the values that its rows hold.

Only `oracle.py record` makes them; a comparison asks those that were recorded. They are the same at every recording:
choices have fixed seeds.
"""

import csv
import itertools
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import quote

from served import parameter, rows_path

from api.model import descriptor, moments, types
from api.query.fields import OPERATORS, operators
from api.query.parameters import CONTROL
from api.store.releases import Release


class Question(NamedTuple):
    """An address, what kind of question it is, and how many pages are read by following its links."""

    kind: str
    path: str
    pages: int = 1


class Share(NamedTuple):
    """How many questions of each kind a table is asked."""

    filters: int
    more_filters: int
    sorts: int
    words: int
    files: int
    facets: int
    groups: int
    keys: int
    wrong: int


TINY = Share(filters=14, more_filters=8, sorts=8, words=5, files=4, facets=4, groups=8, keys=4, wrong=8)
SMALL = Share(filters=32, more_filters=16, sorts=16, words=10, files=8, facets=8, groups=18, keys=5, wrong=14)
WIDE = Share(filters=75, more_filters=30, sorts=30, words=14, files=14, facets=16, groups=40, keys=6, wrong=30)
GREAT = Share(filters=150, more_filters=120, sorts=90, words=40, files=36, facets=50, groups=180, keys=10, wrong=36)
# Values that no row has, and those at the edge of what is stored, by type.
ABSENT: dict[str, Sequence[str]] = {
    **dict.fromkeys(("string", "any", "list"), ("nothing of the kind", "", "é")),
    "integer": ("123456789", "9223372036854775808", "-9223372036854775809", "007", "1" + "0" * 60),
    "number": ("-0.000123", "1e999", "0.1000000000000000055", "9007199254740992.5", "9223372036854775808", "-1e-30"),
    "year": ("1234", "-1", "999999999"),
    "yearmonth": ("1234-05", "2007-1"),
    "date": ("1234-05-06", "9998-12-31"),
    "time": ("04:05:06.789", "13:30", "24:00:00"),
    "datetime": ("1234-05-06T07:08:09Z", "2002-02-03", "2002-02-03T04:05:06-08:00"),
    "duration": ("P99Y", "-PT1S", "P1M"),
    "geopoint": ("1.5,-2.5", "0,0"),
    "array": ("[0]", "[ ]"),
    "object": ('{"no":1}', '{ "b" : 1, "a" : [2.5, null] }'),
    "geojson": ('{"type":"Point","coordinates":[99,9]}',),
    "boolean": ("true", "false"),
}
BAD: dict[str, Sequence[str]] = {
    "integer": ("1.5", "x", "", "1_0"),
    "number": ("x", "NaN", "1,5"),
    "boolean": ("yes", "1"),
    "year": ("07", "x"),
    "yearmonth": ("2007-13", "2007"),
    "date": ("2007-02-30", "1.1.2007"),
    "time": ("25:00", "noon"),
    "datetime": ("2007-13-01T00:00:00Z", "yesterday"),
    "duration": ("1 day", "P"),
    "geopoint": ("200,0", "1"),
    "array": ("{}", "["),
    "object": ("[]", "x"),
    "geojson": ("1", "{"),
}
ADDABLE = ("sum", "avg", "min", "max", "median")
FEW = 40


@dataclass(frozen=True, eq=False)
class Asked:
    """A table, the choices for it, and the values of its fields as questions write them (None for a missing one)."""

    table: descriptor.Table
    dice: random.Random
    rows: Sequence[Sequence[str | None]]
    share: Share

    @property
    def name(self) -> str:
        return self.table.name

    def fields(self, structured: bool = True) -> list[descriptor.Field]:
        return [f for f in self.table.fields if structured or f.type not in types.STRUCTURED]

    @cached_property
    def _values(self) -> dict[str, list[str]]:
        columns = zip(*self.rows, strict=True) if self.rows else [() for _ in self.table.fields]
        named = zip(self.table.index, columns, strict=True)
        return {name: sorted(value for value in set(column) if value is not None) for name, column in named}

    def values(self, field: descriptor.Field) -> list[str]:
        """The different values of a field, in order of their text."""
        return self._values[field.name]

    @cached_property
    def texts(self) -> list[str]:
        """Some texts of the table that hold words."""
        places = [i for i, f in enumerate(self.table.fields) if f.type in ("string", "any")]
        every = [row[i] for row in self.rows for i in places]
        good = [text for text in every if text and len(text) < 400 and any(c.isalnum() for c in text)]
        return random.Random(self.name).sample(good, min(len(good), 200))

    def few(self, structured: bool = False) -> list[descriptor.Field]:
        """The fields with few different values; all of them where none has."""
        every = self.fields(structured)
        return [f for f in every if 0 < len(self.values(f)) <= FEW] or every


def of_release(release: Release, package: str, own: Sequence[str] = ()) -> list[Question]:
    """All questions about a release, each once; `own` are the versions that are asked for by name."""
    seen: set[str] = set()
    every = []
    for question in _every(release, package, own):
        if question.path not in seen:
            seen.add(question.path)
            every.append(question)
    return every


def _every(release: Release, package: str, versions: Sequence[str]) -> Iterator[Question]:
    yield from catalogue(release, versions)
    for table in release.package.tables:
        yield from of_table(asked(release, table, package))
    yield from search(release, package, versions)
    yield from disagreement(release)


def of_version(release: Release, package: str) -> Iterator[Question]:
    """Questions about an earlier release, each with `version`: a part of what is asked of the latest."""
    for table in release.package.tables:
        here = asked(release, table, f"{package} {release.version}")
        chosen = [q for q in of_table(here) if q.kind != "wrong"]
        here.dice.shuffle(chosen)
        for question in chosen[:16]:
            sign = "&" if "?" in question.path else "?"
            yield question._replace(path=f"{question.path}{sign}version={release.version}")


def asked(release: Release, table: descriptor.Table, seed: str) -> Asked:
    """A table of a release with its values."""
    kinds = [(types.kind(field), field.missing) for field in table.fields]
    with (release.folder / table.path).open(encoding="utf-8", newline="") as file:
        cells = list(csv.reader(file))[1:]
    rows = [
        [None if c in gone else written(kind, c) for c, (kind, gone) in zip(row, kinds, strict=True)] for row in cells
    ]
    size = len(rows) * len(table.fields)
    share = GREAT if len(rows) > 5_000 else WIDE if size > 6_000 else SMALL if size > 600 else TINY
    return Asked(table, random.Random(f"{seed} {table.name}"), rows, share)


def written(kind: types.Kind, cell: str) -> str:
    """A cell's value as a question writes it."""
    text = kind.json(kind.read(cell))
    if text[0] == '"':
        return str(json.loads(text))
    if kind.type in ("list", "geopoint"):
        return ",".join(str(item) for item in json.loads(text, parse_float=str, parse_int=str))
    return text


def of_table(here: Asked) -> Iterator[Question]:
    """The questions about the rows of one table."""
    yield from described(here)
    yield from pages(here)
    yield from filters(here)
    yield from more_filters(here)
    yield from sorts(here)
    yield from words(here)
    yield from keys(here)
    yield from files(here)
    yield from facets(here)
    yield from groups(here)
    yield from wrong(here)


# The catalogue


def catalogue(release: Release, versions: Sequence[str]) -> Iterator[Question]:
    """What is there; not /v1/releases, whose bytes and hashes are those of the files."""
    for path in ("/v1/", "/v1/datasets", "/v1/changes", "/v1/nothing", "/v1/datasets/", "/problems/not-additive"):
        yield Question("catalogue", path)
    for version in (*versions, release.version, "9.9.9"):
        for path in ("/v1/", "/v1/datasets", "/v1/datasets/nothing"):
            yield Question("catalogue", f"{path}?version={version}")
        for path in ("/v1/changes?until=", "/v1/changes?since="):
            yield Question("changes", path + version)
    for day in ("1999-01-01", "2099-01-01", "x"):
        yield Question("catalogue", f"/v1/datasets?as_of={day}")
    for table in release.package.tables:
        yield Question("changes", f"/v1/changes?{parameter('dataset', table.name)}")


def described(here: Asked) -> Iterator[Question]:
    path = f"/v1/datasets/{quote(here.name, safe='')}"
    yield Question("dataset", path)
    yield Question("dataset", f"{path}/schema")
    yield Question("dataset", f"{path}?as_of=2099-01-01")


# Pages of rows


def pages(here: Asked) -> Iterator[Question]:
    """Pages without filters, and parts of rows."""
    yield Question("page", rows_path(here.name))
    for limit, deep in ((1, 2), (3, 4), (1000, 1)):
        yield Question("page", rows_path(here.name, f"limit={limit}"), deep)
    for size in (1, 3):
        yield Question("fields", rows_path(here.name, f"{_some_fields(here, size)}&limit=4"), 2)
    for key in here.table.foreign_keys:
        for extra in ("", f"&{_some_fields(here, 2)}", f"&{parameter('fields', key.fields[0])}", f"&{_sort(here, 1)}"):
            yield Question("expand", rows_path(here.name, f"{parameter('expand', key.fields[0])}&limit=5{extra}"), 2)


def filters(here: Asked) -> Iterator[Question]:
    """One condition each: every operator of every type first, then others."""
    every = [
        (f"{field.type} {one}", condition)
        for field in here.fields()
        for one in (o.name for o in operators(field))
        for condition in _conditions(here, field, one)
    ]
    for place, condition in enumerate(_chosen(here.dice, every, here.share.filters)):
        extra = ("&limit=5", "&limit=25", "", f"&{_sort(here, 1)}&limit=6")[place % 4]
        extra += f"&{_some_fields(here, 2)}" if place % 5 == 0 else ""
        yield Question("filter", rows_path(here.name, condition + extra), 3 if place % 9 == 0 else 1)


def more_filters(here: Asked) -> Iterator[Question]:
    """Two or three conditions, most of which some row fulfils; ranges among them."""
    for place in range(here.share.more_filters):
        conditions = _of_one_row(here, 2 + place % 2) if place % 4 else _range(here)
        if not conditions:
            continue
        text = "&".join(conditions)
        sort = f"&{_sort(here, 1 + place % 2)}" if place % 3 == 1 else ""
        limit = ("&limit=3", "&limit=10", "", "&limit=1")[place % 4]
        yield Question("filters", rows_path(here.name, text + sort + limit), 3 if place % 5 == 0 else 1)


def sorts(here: Asked) -> Iterator[Question]:
    """By each field, up and down, then by two or three, then under filters."""
    every = [(f.type + sign, f"sort={sign}{quote(f.name, safe='')}") for f in here.fields(False) for sign in ("", "-")]
    half = here.share.sorts // 2
    for place, sort in enumerate(_chosen(here.dice, every, half)):
        yield Question("sort", rows_path(here.name, f"{sort}&limit={(2, 5, 11, 40)[place % 4]}"), 1 + place % 4)
    for place in range(here.share.sorts - half):
        condition = "&".join(_of_one_row(here, 1)) + "&" if place % 3 == 2 else ""
        sort = f"{_sort(here, 2 + place % 7 // 6)}&limit={(3, 8, 20)[place % 3]}"
        yield Question("sorts", rows_path(here.name, condition + sort), 1 + place % 3)


def words(here: Asked) -> Iterator[Question]:
    """Full text: words, phrases, beginnings, alone and with filters and sorts."""
    for place in range(here.share.words if here.texts else 2):
        extra = ("&limit=4", "&limit=12", f"&{_sort(here, 1)}&limit=5", "&" + "&".join(_of_one_row(here, 1)))[place % 4]
        q = _query(here.dice, here.texts, place) if here.texts else "a"
        yield Question("q", rows_path(here.name, parameter("q", q) + extra.rstrip("&")), 1 + (place % 4 == 0))


def keys(here: Asked) -> Iterator[Question]:
    """Rows by their keys, in part and with what they refer to; keys that no row has."""
    path = rows_path(here.name)
    positions = [here.table.index[name] for name in here.table.primary_key]
    for place in range(min(here.share.keys, len(here.rows))):
        number = here.dice.randrange(len(here.rows))
        parts = [here.rows[number][i] or "" for i in positions] or [str(number + 1)]
        extra = ("", f"?{_some_fields(here, 2)}", "", *(f"?{parameter('expand', k.fields[0])}" for k in _foreign(here)))
        row = ",".join(quote(part, safe="") for part in parts)
        yield Question("row", f"{path}/{row}{extra[place % len(extra)]}")
    for missing in ("nothing", "0", "a,b,c", "99999999", "%00", "é"):
        yield Question("no row", f"{path}/{missing}")


def files(here: Asked) -> Iterator[Question]:
    """CSV and JSON Lines; whole tables where they are small."""
    if len(here.rows) < 1_000:
        yield Question("csv", rows_path(here.name, "", ".csv"))
        yield Question("jsonl", rows_path(here.name, "", ".jsonl"))
    for place in range(here.share.files):
        kind = ("csv", "jsonl")[place % 2]
        parts = _of_one_row(here, 1 + place % 3 % 2) if place % 3 else [_sort(here, 1)]
        parts += [_sort(here, 1 + place % 2)] if place % 6 == 4 else []
        parts += [_some_fields(here, 3)] if place % 4 == 1 else []
        parts += [f"limit={(1, 9, 30)[place % 3]}"] if place % 5 < 3 or len(here.rows) > 1_000 and place % 7 else []
        yield Question(kind, rows_path(here.name, "&".join(parts), f".{kind}"), 3 if place % 5 == 0 else 1)
    for place, field in enumerate(here.few()[:4] if len(here.rows) > 5_000 else ()):  # some of more than a megabyte
        kind = ("csv", "jsonl")[place % 2]
        half = here.values(field)[: (len(here.values(field)) + 1) // 2]
        sort = f"&sort=-{quote(field.name, safe='')}" if place % 2 else ""
        yield Question(kind, rows_path(here.name, parameter(f"{field.name}__in", *half) + sort, f".{kind}"))
    for key in _foreign(here):
        for kind in ("csv", "jsonl"):
            yield Question(kind, rows_path(here.name, f"{parameter('expand', key.fields[0])}&limit=6", f".{kind}"), 2)


# Facets and groups


def facets(here: Asked) -> Iterator[Question]:
    """The values of fields with their counts."""
    groupable = here.fields(False)
    for place in range(here.share.facets):
        known = here.few() if place % 3 else groupable
        names = [f.name for f in here.dice.sample(known, min(len(known), 1 + place % 3))]
        extra = ("", "&limit=3", "&limit=1000", *("&" + c for c in _of_one_row(here, 1)), "&" + "&".join(_range(here)))
        text = parameter("facet", *names) + extra[place % len(extra)]
        yield Question("facet", f"{_below(here, 'facets')}?{text.rstrip('&')}")


def groups(here: Asked) -> Iterator[Question]:
    """Measures of rows by no, one and two fields, sorted, limited and under filters."""
    for place in range(here.share.groups):
        by = _groups(here, place % 3)
        measures = _measures(here, 1 + place % 2)
        parts = [parameter("group_by", *by)] if by else []
        parts += [parameter("measure", *measures)] if measures else []
        if place % 4 == 1 and (by or measures):
            parts.append(_sorted_groups(here, [*by, *measures]))
        parts += [f"limit={(5, 2, 1000)[place % 3]}"] if place % 5 < 3 else []
        parts += _of_one_row(here, 1 + place % 2) if place % 2 else _range(here) if place % 6 == 4 else []
        parts += [parameter("q", _query(here.dice, here.texts, place))] if here.texts and place % 11 == 10 else []
        guarded = any("lantern:additiveWithin" in f.descriptor for f in here.table.fields)
        kind = f"aggregate by {len(by)}" + (" (guarded)" if guarded else "")
        yield Question(kind, f"{_below(here, 'aggregate')}?{'&'.join(dict.fromkeys(parts))}".rstrip("?"))
    yield from guarded_groups(here)


def guarded_groups(here: Asked) -> Iterator[Question]:
    """Sums that schemas allow and refuse: by more and more of the fields that must not vary, and with these fixed."""
    for field in (f for f in here.table.fields if "lantern:additiveWithin" in f.descriptor):
        within = [n for n in field.descriptor.get("lantern:additiveWithin", ()) if n in here.table.index]
        year = [n for n in ("year", "period_start") if n in here.table.index]
        for size in range(len(within) + 1):
            for more in ([], year[:1]):
                by, function = [*within[:size], *more], ("sum", "avg")[size % 2]
                group = f"{parameter('group_by', *by)}&" if by else ""
                measure = parameter("measure", f"{function}:{field.name}")
                yield Question("guarded", f"{_below(here, 'aggregate')}?{group}{measure}&limit=20")
        for place in range(24 if len(here.rows) > 30 else 4):
            row = here.dice.choice(here.rows)
            fixed = here.dice.sample(within, here.dice.randrange(1, len(within) + 1))
            fixed += within[-1:] if place % 4 and within[-1] not in fixed else []
            conditions = [_is(here, here.table.field(name), row) for name in fixed]
            by = [*(n for n in within if n not in fixed), *(year[:1] if place % 2 else [])]
            group = f"&{parameter('group_by', *by)}" if by and place % 5 else ""
            measure = parameter("measure", f"{('sum', 'avg')[place % 3 // 2]}:{field.name}")
            yield Question("guarded", f"{_below(here, 'aggregate')}?{'&'.join(conditions)}&{measure}{group}")


def _groups(here: Asked, size: int) -> list[str]:
    known = here.few() if here.dice.random() < 0.75 else here.fields(False)
    return [f.name for f in here.dice.sample(known, min(size, len(known)))]


def _measures(here: Asked, size: int) -> list[str]:
    numeric = [f.name for f in here.fields() if f.type in types.NUMERIC]
    every = ["count", *(f"{function}:{name}" for function in ADDABLE for name in numeric)]
    return here.dice.sample(every, min(size, len(every)))


def _sorted_groups(here: Asked, names: Sequence[str]) -> str:
    chosen = here.dice.sample(names, min(len(names), here.dice.choice((1, 1, 2))))
    return parameter("sort", *(here.dice.choice(("", "-")) + name for name in chosen))


# The search of all tables, conflicts and corrections


def search(release: Release, package: str, versions: Sequence[str]) -> Iterator[Question]:
    """Full text over all tables."""
    tables = [asked(release, table, f"{package} search") for table in release.package.tables]
    texts = [text for here in tables for text in here.texts]
    dice = random.Random(f"{package} search")
    for place in range(70):
        q = parameter("q", _query(dice, texts, place))
        yield Question("search", f"/v1/search?{q}{('', '&limit=3', '&limit=10')[place % 3]}", 1 + place % 3)
        if versions and place < 10:
            yield Question("search", f"/v1/search?{q}&version={versions[place % len(versions)]}")
    for text in ("", "?q=", "?q=%20", '?q="', "?q=*", "?q=a&sort=x", "?q=%00", "?q=a&limit=0", "?q=a&cursor=AAAA"):
        yield Question("wrong", f"/v1/search{text}")


def disagreement(release: Release) -> Iterator[Question]:
    """Conflicts and corrections, joined."""
    for name in ("conflicts", "corrections"):
        table = release.package.table(name)
        yield Question(name, f"/v1/{name}")
        yield Question(name, f"/v1/{name}?limit=2", 4)
        if table is None:
            continue
        here = asked(release, table, name)
        for place in range(24):
            text = "&".join(_of_one_row(here, 1 + place % 2))
            text += f"&{_sort(here, 1)}" if place % 3 == 1 else ""
            yield Question(name, f"/v1/{name}?{text}&limit={3 + place % 5}".replace("?&", "?"), 1 + place % 2)
        for q in itertools.islice(dict.fromkeys(here.texts), 6):
            yield Question(name, f"/v1/{name}?{parameter('q', q.split()[0])}&limit=3")
        for text in (
            "fields=id",
            "expand=x",
            "limit=0",
            "nothing=1",
            "sort=-id&limit=3",
            "version=9.9.9",
            "fields=version",
        ):
            yield Question(name, f"/v1/{name}?{text}")
        if {"dataset", "record"} <= table.index.keys():
            named = [(row[table.index["dataset"]] or "", row[table.index["record"]] or "") for row in here.rows]
            for dataset, record in here.dice.sample(named, min(len(named), 12)):
                yield Question("corrected row", f"{rows_path(dataset)}/{quote(record, safe=',')}")
    yield Question("corrections", "/v1/corrections.atom")


# Wrong questions


def wrong(here: Asked) -> Iterator[Question]:
    """Questions that are refused, or that ask for what is not there."""
    path = rows_path(here.name)
    first, last = here.table.fields[0].name, here.table.fields[-1].name
    every = [
        *(
            "nothing=1",
            "limit=0",
            "limit=1001",
            "limit=x",
            "limit=-1",
            "limit=",
            "limit=1&limit=2",
            "q=",
            "sort=",
            "fields=",
        ),
        *(
            "sort=nothing",
            "fields=nothing",
            "expand=nothing",
            "cursor=AAAA",
            "cursor=",
            "cursor=%C3%A9",
            "version=9.9.9",
        ),
        *(
            "version=1.0.0&as_of=2026-01-01",
            "as_of=2026-02-30",
            "as_of=1999-01-01",
            "version=",
            "q=%FF",
            "q=%00",
            "=1",
            "x",
        ),
        *(f"{parameter(first + 'x', '1')}", parameter(last + "__nothing", "1"), parameter(first + "__eqq", "1")),
        *(
            f"{parameter(first)}&{parameter(first)}",
            parameter("sort", first, "-" + first),
            parameter("fields", last, last),
        ),
        *(f"{parameter(f'{first}__in', *map(str, range(201)))}", parameter(f"{first}__isnull", "yes")),
        *(
            f"limit=0&sort=nothing&{parameter(last + '__nothing', 'x')}",
            f"q={'x' * 501}",
            "sort=-",
            "sort=,",
            "limit=1_0",
        ),
    ]
    every += [parameter("sort", f.name) for f in here.fields() if f.type in types.STRUCTURED][:3]
    bad = [
        parameter(f.name + "__" + one, text)
        for f in here.fields()
        for text in BAD.get(f.type, ())
        for one in here.dice.sample([o.name for o in operators(f) if o.name != "isnull"], 1)
    ]
    unknown = [parameter(f"{f.name}__{one}", "a") for f in here.fields() for one in OPERATORS if one not in _names(f)]
    every = here.dice.sample(every, min(len(every), here.share.wrong // 2))
    bad, unknown = (here.dice.sample(some, min(len(some), here.share.wrong // 6)) for some in (bad, unknown))
    for text in (*every, *bad, *unknown):
        yield Question("wrong", f"{path}?{text}")
    for text in here.dice.sample(_wrong_groups(here), here.share.wrong // 6 + 2):
        yield Question("wrong", _below(here, text))
    yield Question("wrong", rows_path(here.name, "", ".nothing"))
    yield Question("wrong", f"/v1/datasets/{quote(here.name + 'x', safe='')}/records")
    yield Question("wrong", f"{path}/?limit=1")


def _wrong_groups(here: Asked) -> list[str]:
    first = here.table.fields[0].name
    group, measure = parameter("group_by", first), quote(first, safe="")
    return [
        *(
            "facets",
            "facets?facet=",
            "facets?facet=nothing",
            f"facets?{parameter('facet', first, first)}",
            "facets?limit=1",
        ),
        *(
            f"facets?{parameter('facet', first)}&sort=count",
            "aggregate?measure=",
            "aggregate?measure=sum",
            "aggregate?x=1",
        ),
        *(
            "aggregate?measure=total:x",
            "aggregate?measure=count:x",
            f"aggregate?measure=sum:{measure}x",
            "aggregate?sort=x",
        ),
        *(
            "aggregate?measure=count,count",
            "aggregate?group_by=nothing",
            f"aggregate?{group}&sort=-nothing",
            "schema?x=1",
        ),
        *("aggregate?limit=0", "aggregate?cursor=AAAA", "aggregate?fields=x", f"aggregate?{group}&{group}", "nothing"),
    ]


# Parts of questions


def _below(here: Asked, rest: str) -> str:
    return f"/v1/datasets/{quote(here.name, safe='')}/{rest}"


def _foreign(here: Asked) -> list[descriptor.ForeignKey]:
    return [key for key in here.table.foreign_keys if len(key.fields) == 1]


def _names(field: descriptor.Field) -> set[str]:
    return {one.name for one in operators(field)}


def _chosen(dice: random.Random, every: Iterable[tuple[str, str]], most: int) -> list[str]:
    """Some of the candidates (shape, text), by chance, but one of each shape before the second of any."""
    by_shape: dict[str, list[str]] = {}
    for shape, text in every:
        by_shape.setdefault(shape, []).append(text)
    for texts in by_shape.values():
        dice.shuffle(texts)
    turns = itertools.zip_longest(*by_shape.values())
    ordered = [text for turn in turns for text in dice.sample(turn, len(turn)) if text is not None]
    return ordered[:most]


def _some_fields(here: Asked, size: int) -> str:
    names = [f.name for f in here.fields()]
    return parameter("fields", *here.dice.sample(names, min(size, len(names))))


def _sort(here: Asked, size: int) -> str:
    """A sort by some fields; where there are more, the first of them has few values."""
    every = here.fields(False)
    first = [here.dice.choice(here.few())] if size > 1 else []
    rest = [f for f in every if f not in first]
    chosen = [*first, *here.dice.sample(rest, min(size - len(first), len(rest)))]
    return parameter("sort", *(here.dice.choice(("", "-")) + f.name for f in chosen))


def _name(field: descriptor.Field, operator: str) -> str:
    """The name of a filter; that of the field alone means eq, unless it is the name of another parameter."""
    bare = operator == "eq" and field.name not in CONTROL
    return field.name if bare else f"{field.name}__{operator}"


def _conditions(here: Asked, field: descriptor.Field, operator: str) -> list[str]:
    """Some conditions with an operator: on values that rows have, and on one that none has."""
    name, dice, values = _name(field, operator), here.dice, here.values(field)
    if operator == "isnull":
        return [parameter(name, flag) for flag in ("true", "false")]
    found = dice.sample(values, min(3, len(values)))
    absent = dice.choice(ABSENT.get(field.type, ABSENT["any"]))
    if operator in ("in", "not_in"):
        return [parameter(name, *some) for some in (found, found[:1], [*found, absent], [absent]) if some]
    texts = [*found[:2], absent]
    if operator in ("contains", "startswith") and field.type != "list":
        texts = [_part(dice, text, operator) for text in texts]
    if operator == "contains" and field.type == "list":
        texts = [dice.choice(text.split(",")) for text in texts]
    return [parameter(name, text) for text in texts if len(text) < 400]


def _part(dice: random.Random, text: str, operator: str) -> str:
    """A part of a text, sometimes in other case."""
    start = dice.randrange(len(text)) if operator == "contains" and text else 0
    part = text[start : start + dice.randrange(1, 6)]
    return dice.choice((part, part.upper(), part.lower()))


def _is(here: Asked, field: descriptor.Field, row: Sequence[str | None]) -> str:
    value = row[here.table.index[field.name]]
    return parameter(f"{field.name}__isnull", "true") if value is None else parameter(_name(field, "eq"), value)


def _of_one_row(here: Asked, size: int) -> list[str]:
    """Conditions that one row fulfils, or nearly; each of another field."""
    if not here.rows:
        return [parameter(f"{here.table.fields[-1].name}__isnull", "true")]
    row, dice = dice_row(here), here.dice
    known = [*here.few(True), *here.few(True), *here.fields()]
    chosen = list({f.name: f for f in dice.sample(known, min(len(known), 2 * size))}.values())[:size]
    return [_one(here, field, row[here.table.index[field.name]]) for field in chosen]


def dice_row(here: Asked) -> Sequence[str | None]:
    return here.rows[here.dice.randrange(len(here.rows))]


def _one(here: Asked, field: descriptor.Field, value: str | None) -> str:
    """A condition on a field that this value of it fulfils, or nearly."""
    known = sorted(_names(field))
    if value is None or len(value) > 300:
        return parameter(f"{field.name}__isnull", "true" if value is None else "false")
    one = here.dice.choice([name for name in ("eq", "eq", "eq", "in", *known) if name in known])
    if one == "isnull":
        return parameter(f"{field.name}__isnull", "false")
    if one in ("in", "not_in"):
        others = [text for text in here.values(field) if len(text) < 100]
        return parameter(_name(field, one), value, *here.dice.sample(others, min(2, len(others))))
    if one == "contains" and field.type == "list":
        return parameter(_name(field, one), here.dice.choice(value.split(",")))
    if one in ("contains", "startswith"):
        return parameter(_name(field, one), _part(here.dice, value, one))
    return parameter(_name(field, one), value)


def _range(here: Asked) -> list[str]:
    """A lower and an upper bound of one field."""
    ordered = [f for f in here.fields() if "lt" in _names(f) and len(here.values(f)) > 1]
    if not ordered:
        return []
    field = here.dice.choice(ordered)
    short = [text for text in here.values(field) if len(text) < 300]
    low, high = sorted(here.dice.sample(short, 2), key=lambda text: _place(field, text))
    ends = here.dice.choice((("gte", "lte"), ("gt", "lt"), ("gte", "lt"), ("gt", "lte")))
    return [parameter(f"{field.name}__{ends[0]}", low), parameter(f"{field.name}__{ends[1]}", high)]


def _place(field: descriptor.Field, text: str) -> Any:
    value = types.kind(field).parse(text)
    return moments.duration_seconds(value) if field.type == "duration" else value


def _query(dice: random.Random, texts: Sequence[str], form: int) -> str:
    """Words to search for, in one of ten forms."""
    text = dice.choice(texts)
    some = [word for word in text.replace('"', " ").split() if any(c.isalnum() for c in word)] or ["a"]
    word, other = dice.choice(some), dice.choice(some)
    start = dice.randrange(len(some))
    forms = (
        *(word, f"{word} {other}", f'"{" ".join(some[start : start + 2])}"', f"{word[: dice.randrange(1, 5)]}*"),
        *(word.upper(), f'{word} "{" ".join(some[start : start + 3])}"', f"{word} nothingofthekind"),
        *(
            f"{word[:3]}* {other[:2]}*",
            text[:80],
            dice.choice(("AND", "a OR b", "-x", "(", "ete", "año*", "x y", "“", "😀")),
        ),
    )
    return forms[form % len(forms)] or "a"
