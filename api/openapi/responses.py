"""Responses as OpenAPI components: those of shared.yaml, and what the code adds to them.

In Python a name stands for a reference to a component, where one is expected: apispec writes that.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from apispec import APISpec

from api.http.errors import MEDIA_TYPE, TYPES
from api.model.files import CONFLICTS, POSITIONS

Entry = dict[str, Any]
OBJECT: Entry = {"type": "object"}
# What is the same for every package; read when this module is, for the first document.
SHARED: Entry = yaml.load(Path(__file__).with_name("shared.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
COMPONENTS: Mapping[str, Mapping[str, Entry]] = SHARED["components"]
NOT_MODIFIED = COMPONENTS["responses"]["NotModified"]


def array(items: Entry | str) -> Entry:
    """An array of these."""
    return {"type": "array", "items": items}


def filled(schema: Entry) -> Entry:
    """The entries that are not empty."""
    return {name: value for name, value in schema.items() if value}


def members(required: Mapping[str, Any], optional: Mapping[str, Any] = {}, words: str = "") -> Entry:
    """An object with these properties, described by `words`; clients must ignore others."""
    properties = {**required, **optional}
    return filled({"description": words, "type": "object", "required": list(required), "properties": properties})


def components(spec: APISpec, instance: str) -> None:
    """Put in everything that is the same for every package; `instance` is the path in examples of problems."""
    data = {name: envelope(held) for name, held in SHARED["x-data"].items()}
    for name, schema in {**COMPONENTS["schemas"], **data}.items():
        spec.components.schema(name, schema)
    kinds = "\n".join(f"- `{kind}` ({of['status']}): {of['meaning']}" for kind, of in TYPES.items())
    spec.components.schemas["Problem"]["description"] += f" Types:\n\n{kinds}"
    for name, header in COMPONENTS["headers"].items():
        spec.components.header(name, header)
    for name, response in COMPONENTS["responses"].items():
        spec.components.response(name, response)
        if name.startswith("Problem"):
            content = spec.components.responses[name]["content"]
            content[MEDIA_TYPE]["examples"] = _examples(int(name.removeprefix("Problem")), instance)


def _examples(status: int, instance: str) -> Entry:
    """An example of each type of problem with this status (invalid-parameter where none has it)."""
    examples = {}
    for kind in [kind for kind, of in TYPES.items() if of["status"] == status] or ["invalid-parameter"]:
        title, meaning = TYPES[kind]["title"], TYPES[kind]["meaning"]
        here = {"detail": meaning.partition(". ")[0].rstrip(".") + ".", "instance": instance}
        here |= SHARED["x-problems"].get(kind, {})
        value = {"type": f"/problems/{kind}", "title": title, "status": status, **here, "request_id": "0a1b2c3d4e5f-7"}
        examples[kind] = {"summary": title, "value": value}
    return examples


def headers(names: Iterable[str]) -> Entry:
    """References to headers."""
    return {name: name for name in names}


def answer(name: str, media_type: str) -> Entry:
    """A 200 that holds what the component of that name describes, in a media type; 304 and words tell its headers."""
    return {"description": "OK.", "content": {media_type: {"schema": _held(name, media_type)}}}


def _held(name: str, media_type: str) -> Entry | str:
    """Clients made by generators read JSON and text; of what is neither they give the bytes, if it is called binary."""
    if media_type.endswith(("json", "yaml")):
        return name
    return {"type": "string"} if media_type.startswith("text/") else {"type": "string", "format": "binary"}


def envelope(data: Entry | str, included: bool = False) -> Entry:
    """What a response holds: data, meta, links."""
    return members({"data": data, "meta": "Meta", "links": "Links"}, {"included": "Included"} if included else {})


def of_tables(spec: APISpec, slugs: Mapping[str, str]) -> None:
    """Put in the responses with rows of tables; api.openapi.document has put in the rows themselves."""
    has_conflicts = CONFLICTS in slugs
    for slug in slugs.values():
        spec.components.schema(f"{slug}_rows", envelope(array(f"{slug}_row"), has_conflicts))
        spec.components.schema(f"{slug}_record", envelope(f"{slug}_row", has_conflicts))
    spec.components.schema("AnyRows", envelope(array(OBJECT), has_conflicts))
    if has_conflicts:
        row = f"{slugs[CONFLICTS]}_row"
        words = "The conflicts that the rows take part in."
        spec.components.schema("Included", members({}, {"conflicts": array(row)}, words))
        position = f"{slugs[POSITIONS]}_row" if POSITIONS in slugs else OBJECT
        figure = {"allOf": [position, members({}, {"figure": {**OBJECT, "nullable": True}})]}
        spec.components.schema("JoinedPosition", figure)
        joined = {"allOf": [row, members({}, {"positions": array("JoinedPosition")})]}
        spec.components.schema("JoinedConflict", joined)
        spec.components.schema("Conflicts", envelope(array("JoinedConflict")))
        spec.components.schema("Conflict", envelope("JoinedConflict"))
