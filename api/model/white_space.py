"""White space that nobody sees in a cell that is compared, as keys and codes are: two texts that look alike are one."""

import re
import unicodedata

from api.model.descriptor import Table

# Characters without a width. The joiners are part of words in scripts beyond Latin (Persian, Hindi) and of emoji.
_INVISIBLE = re.compile(
    "[\u00ad\u200b\u200e\u200f\u2060\ufeff]|(?<![^\u0000-\u024f])[\u200c\u200d]|[\u200c\u200d](?![^\u0000-\u024f])"
)


def cleaned(text: str) -> str:
    """A text without invisible characters and without white space at its ends, and with one space where there was any.

    White space is what Unicode calls so: no-break spaces, tabs and line ends too. A letter and its accent are one
    character (NFC): a Mac makes two of them.
    """
    return unicodedata.normalize("NFC", " ".join(_INVISIBLE.sub("", text).split()))


def compared(table: Table) -> tuple[str, ...]:
    """The text fields whose cells are compared with others: of keys, of a series of figures, and codes from a list."""
    schema, series = table.schema, table.figure.get("series") or ()
    names = {*table.primary_key, *series, *(name for key in table.foreign_keys for name in key.fields)}
    names |= {name for key in schema.get("uniqueKeys") or () for name in key}
    coded = ("enum" in field.constraints or "categories" in field.descriptor for field in table.fields)
    pairs = zip(table.fields, coded, strict=True)
    return tuple(field.name for field, code in pairs if field.type == "string" and (code or field.name in names))
