"""The texts of a release that are made from templates; they load nothing from elsewhere."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).resolve().parents[2] / "templates"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def render(name: str, **values: Any) -> str:
    """A template, filled in."""
    return ENVIRONMENT.get_template(name).render(**values)


def plain(text: Any) -> str:
    """Text as Markdown shows it: on one line, nothing in it taken for markup."""
    line = " ".join(str(text).split())
    return re.sub(r"([\\`*_\[\]<>|#~])", r"\\\1", line)


def code(text: Any) -> str:
    """Text as a Markdown code span, also where it holds backticks; a pipe would end the cell of a table."""
    line = " ".join(str(text).split()).replace("|", "\\|")
    ticks = max(map(len, re.findall("`+", line)), default=0)
    fence = "`" * (ticks + 1)
    space = " " if ticks else ""
    return f"{fence}{space}{line}{space}{fence}" if line else ""


def anchor(*names: str) -> str:
    """The name of a place in a page, made of any text."""
    return ".".join(quote(name, safe="") for name in names)


ENVIRONMENT.filters |= {"plain": plain, "code": code, "anchor": anchor}
