"""Reads the text of a descriptor, JSON or YAML: strictly, and within limits, because a stranger may have written it.

669 bytes of YAML can stand for more than any memory holds, and of two members with one name Python keeps the last.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any

import yaml

from api import settings
from api.package.tables import parsing

JSON = Any
YAML = (".yaml", ".yml")
LIMIT = "MAX_DESCRIPTOR_MB"
SHARE = {"JSON": 1, "YAML": 8}  # a byte of YAML takes as much time and memory as eight of JSON
PARTS = 2**16  # for each MiB: objects and lists; in YAML every value, and each alias for all that it stands for
DEPTH = 100
DIGITS = 4_000
_LONG_NUMBER = re.compile(rf"[0-9]{{{DIGITS + 1},}}")
_TEXT = 64  # characters of a text of YAML that count as one value


class Refused(ValueError):
    """A text that is JSON or YAML, but not what a descriptor may be; `expected` says what that is."""

    def __init__(self, message: str, expected: str) -> None:
        super().__init__(message)
        self.expected = expected


def value(text: str, kind: str) -> JSON:
    """The value of a text of a kind, "JSON" or "YAML"; dates of YAML stay text.

    Raises Refused; else yaml.YAMLError, ValueError or RecursionError for what is not of that kind.
    """
    if number := _LONG_NUMBER.search(text):
        raise Refused(f"a number has {len(number[0]):,} digits", f"at most {DIGITS:,} digits")
    if kind == "YAML":
        found = _yaml(text)
    else:
        _refuse_many(text.count("[") + text.count("{"), settings.load()[LIMIT] * PARTS)
        found = json.loads(text, parse_float=parsing.Number, parse_constant=_refuse_constant, object_pairs_hook=_object)
    _walk(([found], False), _inside)
    return found


def refuse_size(size: int, kind: str) -> None:
    """Raises Refused for a file that is larger than descriptors of its kind may be; `size` is in bytes."""
    most = settings.load()[LIMIT] * 2**20 // SHARE[kind]
    if size > most:
        raise Refused(f"the file has {size:,} bytes", settings.at_most(LIMIT, most, f"bytes of {kind}"))


def _refuse_many(parts: int, most: int) -> None:
    if parts > most:
        expected = settings.at_most(LIMIT, most, "objects and lists, aliases written out")
        raise Refused(f"it has {parts:,} parts or more", expected)


def _walk(root: Any, inside: Callable[[Any], Iterable[Any]]) -> None:
    """Raises Refused where something has too many parts or too deep ones, also one that holds itself."""
    level, parts, most = [root], 0, settings.load()[LIMIT] * PARTS
    for _ in range(DEPTH):
        below: list[Any] = []
        for part in level:
            below += inside(part)
            _refuse_many(parts + len(below), most)
        level, parts = below, parts + len(below)
        if not level:
            return
    raise Refused("objects and lists are nested too deeply", f"at most {DEPTH} levels")


# JSON


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON value")


def _object(pairs: Sequence[tuple[str, JSON]]) -> dict[str, JSON]:
    found = dict(pairs)
    if len(found) < len(pairs):
        _refuse_repeated([name for name, _ in pairs])
    return found


def _refuse_repeated(names: Sequence[str]) -> None:
    repeated = next((name for name, times in Counter(names).items() if times > 1), None)
    if repeated is not None:
        raise Refused(f"an object has the member {repeated!r:.100} twice", "each member once")


def _inside(part: tuple[JSON, bool]) -> list[tuple[JSON, bool]]:
    """The objects and lists of one, each with whether it belongs to inline data, where numbers may be of any size."""
    found, data = part
    below: list[tuple[JSON, bool]] = []
    for key, each in found.items() if isinstance(found, dict) else zip(repeat(""), found, strict=False):
        if isinstance(each, dict | list):
            below.append((each, data or key == "data"))
        elif isinstance(each, float) and not data and not math.isfinite(each):
            raise Refused(f"a number is {each}, which JSON cannot hold", "a number of at most 308 digits")
        elif each is not None and not isinstance(each, str | int | float):
            raise Refused(
                f"it has a value of type {type(each).__name__}, which JSON does not know", "values that JSON knows"
            )
    return below


# YAML


class _Loader(yaml.SafeLoader):
    """YAML 1.2, in which no, 010 and 1:30 are text; numbers keep their digits. Names are text, as written."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        self.flatten_mapping(node)
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {}
_TAG = "tag:yaml.org,2002:"
for _type, _written, _begin in (
    ("merge", "<<", "<"),
    ("null", "~|null|Null|NULL|", "~nN\0"),
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", "[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan",
        "-+.0123456789",
    ),
):
    begin = [sign.replace("\0", "") for sign in _begin]
    _Loader.add_implicit_resolver(_TAG + _type, re.compile(f"(?:{_written})$"), begin)
_Loader.add_constructor(_TAG + "float", lambda _, node: parsing.Number(re.sub(r"\.(?=[in])", "", node.value)))


def _yaml(text: str) -> JSON:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _walk(node, _nodes)  # before values are made of it: merging multiplies, too
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _nodes(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.ScalarNode):
        return []
    if isinstance(node, yaml.SequenceNode):
        within = list(node.value)
    else:
        _refuse_repeated([key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"])
        within = [each for pair in node.value for each in pair]
    long = [each for each in within if isinstance(each, yaml.ScalarNode) and len(each.value) > _TEXT]
    return within + [each for each in long for _ in range(len(each.value) // _TEXT)]
