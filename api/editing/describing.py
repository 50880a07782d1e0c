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
UNCLEAR = ("string", "any")  # types of columns in which such a word may stand for no value


def title_of(name: str) -> str:
    """A name as a title: unit_price, unit-price and unitPrice are "Unit price" and "Unit Price"."""
    words = " ".join(re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\s-]+", " ", name).split()) or name
    return words[0].upper() + words[1:]


def described(table: Table, plain: Path, scratch: Path) -> JSON:
    """The schema of an opened table that had none, with titles; `plain` is its data as plain CSV.

    Text that is numbers, dates and the like but for words for no value gets that type; in JSON text is text.
    """
    schema = {"missingValues": [""], **table.schema}
    texts = [field.name for field in table.fields if field.type in UNCLEAR and "missingValues" not in field.descriptor]
    if upgrade.format_of(table.descriptor) not in upgrade.JSON_FORMATS and (words := _words(plain, texts)):
        sifted = scratch / "sifted.csv"
        _sift(plain, sifted, words)
        typed = {field["name"]: field for field in guessing.schema(sifted)["fields"] if field["type"] != "string"}
        schema["fields"] = [typed.get(field["name"], field) for field in schema["fields"]]
        schema = _with_missing(schema, words, typed)
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


def _with_missing(schema: JSON, words: Mapping[str, set[str]], typed: Mapping[str, JSON]) -> JSON:
    """A schema whose typed fields have their words for no value: for all fields, unless another holds one as text."""
    wanted = sorted({word for name in typed for word in words[name]})
    if not any(words[name] & {*wanted} for name in words.keys() - typed.keys()):
        return {**schema, "missingValues": ["", *wanted]}
    fields = schema["fields"]
    own = {name: {"missingValues": ["", *sorted(words[name])]} for name in typed}
    return {**schema, "fields": [{**field, **own.get(field["name"], {})} for field in fields]}
