"""Describes a table that came without a schema: what api.package.guessing sees, what its names and words say."""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from api.model import csv_lines
from api.model.descriptor import Table
from api.package import guessing, upgrade

JSON = Any
# What stands for no value in a column that would otherwise hold numbers, dates and the like.
MISSING = frozenset(["NA", "N/A", "n/a", "na", "#N/A", "null", "NULL", "None", "nan", "NaN", "-", "--", "–", ".", ".."])
# How numbers are written elsewhere: what every cell must be, what one at least must be to leave no doubt (1,234 is two
# numbers), and the field that reads them.
WRITTEN = tuple(
    (re.compile(every).fullmatch, re.compile(clear).fullmatch, said)
    for every, clear, said in (
        (r"-?(0|[1-9]\d*)(,\d+)?", r"-?(0|\d*,(\d{1,2}|\d{4,})|(0|\d{4,}),\d+)", {"decimalChar": ","}),
        (r"-?(0|[1-9]\d{0,2}(\.\d{3})*)(,\d+)?", r"[^.]+\.[^,]+,.+", {"decimalChar": ",", "groupChar": "."}),
        (r"-?(0|[1-9]\d{0,2}(,\d{3})*)(\.\d+)?", r"[^,]+,[^.]+\..+", {"groupChar": ","}),
    )
)
UNCLEAR = ("string", "any")  # types of columns in which such a word may stand for no value


def title_of(name: str) -> str:
    """A name as a title: unit_price, unit-price and unitPrice are "Unit price" and "Unit Price"."""
    words = " ".join(re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\s-]+", " ", name).split()) or name
    return words[0].upper() + words[1:]


def described(table: Table, plain: Path, scratch: Path) -> JSON:
    """The schema of an opened table that had none, with titles; `plain` is its data as plain CSV.

    Text that is numbers, dates and the like but for words for no value gets that type, and so do numbers as others
    write them; in JSON text is text.
    """
    schema = {"missingValues": [""], **table.schema}
    texts = [field.name for field in table.fields if field.type in UNCLEAR and "missingValues" not in field.descriptor]
    if upgrade.format_of(table.descriptor) not in upgrade.JSON_FORMATS and texts:
        words, sifted = _words(plain, texts), scratch / "sifted.csv"
        _sift(plain, sifted, texts)
        typed = {field["name"]: field for field in guessing.schema(sifted)["fields"] if field["type"] != "string"}
        typed = {name: field for name, field in typed.items() if name in words} | _numbers(sifted)
        schema["fields"] = [typed.get(field["name"], field) for field in schema["fields"]]
        schema = _with_missing(schema, words, {name: typed[name] for name in typed if name in words})
    fields = []
    for field in schema["fields"]:
        title = title_of(field["name"])
        fields.append({"name": field["name"], **({"title": title} if title != field["name"] else {}), **field})
    return {**schema, "fields": fields}


def _words(plain: Path, names: Sequence[str]) -> dict[str, set[str]]:
    """Which words for no value some columns hold, of those that hold any."""
    found: dict[str, set[str]] = {}
    with plain.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = next(rows)
        places = [(header.index(name), name) for name in names]
        for row in rows if places else ():
            for place, name in places:
                if row[place] in MISSING:
                    found.setdefault(name, set()).add(row[place])
    return found


def _sift(plain: Path, target: Path, names: Sequence[str] | Mapping[str, Any]) -> None:
    """Write some columns of a table, with empty cells in the place of words for no value."""
    with plain.open(encoding="utf-8", newline="") as file, target.open("w", encoding="utf-8", newline="") as out:
        rows = csv.reader(file)
        header = next(rows)
        places = [header.index(name) for name in names]
        csv_lines.write(out, [[*names]])
        csv_lines.write(out, (["" if row[place] in MISSING else row[place] for place in places] for row in rows))


def _numbers(plain: Path) -> dict[str, JSON]:
    """The columns whose cells are numbers as others write them, most of them with a comma, as fields."""
    with plain.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = next(rows)
        left = [[*WRITTEN] for _ in header]  # the ways in which all cells so far can be read
        sure: list[set[int]] = [set() for _ in header]
        commas = [0] * len(header)
        for row in rows:
            for place, text in enumerate(row):
                if text and left[place]:
                    left[place] = [way for way in left[place] if way[0](text)]
                    sure[place] |= {id(way) for way in left[place] if way[1](text)}
                    commas[place] += 1 if "," in text else -1
    clear = [[way[2] for way in ways if id(way) in seen] for ways, seen in zip(left, sure, strict=True)]
    found = zip(header, clear, commas, strict=True)
    return {name: {"name": name, "type": "number", **said[0]} for name, said, most in found if said and most > 0}


def _with_missing(schema: JSON, words: Mapping[str, set[str]], typed: Mapping[str, JSON]) -> JSON:
    """A schema whose typed fields have their words for no value: for all fields, unless another holds one as text."""
    wanted = sorted({word for name in typed for word in words[name]})
    if not any(words[name] & {*wanted} for name in words.keys() - typed.keys()):
        return {**schema, "missingValues": ["", *wanted]}
    fields = schema["fields"]
    own = {name: {"missingValues": ["", *sorted(words[name])]} for name in typed}
    return {**schema, "fields": [{**field, **own.get(field["name"], {})} for field in fields]}
