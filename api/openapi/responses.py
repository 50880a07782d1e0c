"""Responses as OpenAPI components: the envelope, its data, headers and problem documents.

Where a component is expected, its name stands for a reference to it: apispec writes that.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from apispec import APISpec

from api.http.errors import MEDIA_TYPE, TYPES
from api.model.descriptor import Table
from api.model.files import CONFLICTS, POSITIONS

Entry = dict[str, Any]
TEXT: Entry = {"type": "string"}
COUNT: Entry = {"type": "integer", "minimum": 0}
ADDRESS: Entry = {"type": "string", "format": "uri-reference"}
MOMENT: Entry = {"type": "string", "format": "date-time"}
OBJECT: Entry = {"type": "object"}
NULLABLE: Entry = {**TEXT, "nullable": True}


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


def entries(values: Entry | bool, words: str = "") -> Entry:
    """An object with any keys and such values, described by `words`."""
    return filled({"description": words, "type": "object", "additionalProperties": values})


SUMMARY = {"name": TEXT, "title": TEXT, "description": TEXT, "rows": COUNT, "links": "Links"}
SHA256: Entry = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
FILE = {"path": TEXT, "bytes": COUNT, "sha256": SHA256, "media_type": TEXT}
CHANGED = "How many rows of each dataset were added, changed and removed since the previous version."
WITHDRAWN = {**NULLABLE, "description": "Why the release must not be used any more; null for one not withdrawn."}
ERROR = members({"reason": TEXT}, {"parameter": TEXT, "field": TEXT, "did_you_mean": TEXT, "found": array({})})
RELEASE = {
    "version": TEXT,
    "published_at": MOMENT,
    "previous": NULLABLE,
    "change_kinds": array(TEXT),
    "changes": entries(entries(COUNT), CHANGED),
    "notes": {**TEXT, "description": "What the version's changelog says."},
    "withdrawn": WITHDRAWN,
    "rows": entries(COUNT),
    "bytes": COUNT,
    "links": "Links",
}
LISTED = members({"version": TEXT, "manifest": SHA256, "published_at": TEXT, "withdrawn": WITHDRAWN})
# Component schemas that are the same for every package.
SHARED: Mapping[str, Entry] = {
    "Meta": members(
        {"version": TEXT, "published_at": MOMENT, "license": TEXT, "citation": TEXT},
        {
            "dataset": TEXT,
            "count": {**COUNT, "description": "How many entries this response holds."},
            "total": {**COUNT, "description": "How many there are under the same filters."},
            "more": {
                "description": "Whether there are more groups than the limit; of facets, for each field.",
                "oneOf": [{"type": "boolean"}, entries({"type": "boolean"})],
            },
            "withdrawn": WITHDRAWN,
            "mirror": entries(NULLABLE, "Whose copy this is: upstream, synced_at, upstream_version, stale_after."),
        },
        "Which release the data are from, how much there is, and how to cite it.",
    ),
    "Links": entries(
        {**ADDRESS, "nullable": True},
        "Addresses by relation: self, next (null on the last page), describedby, permalink and others.",
    ),
    "Problem": members(
        {
            "type": {**ADDRESS, "description": "An address that explains this type of problem."},
            "title": TEXT,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {**TEXT, "description": "What happened in this request."},
            "instance": {**TEXT, "description": "The path of the request."},
            "request_id": TEXT,
        },
        {"errors": array(ERROR)},
        "A problem document (RFC 9457). Types:\n\n"
        + "\n".join(f"- `{kind}` ({status}): {meaning}" for kind, (status, _, meaning) in TYPES.items()),
    ),
    "Summary": members(SUMMARY),
    "Release": members(RELEASE),
    "Alive": members({"status": TEXT, "version": NULLABLE}),
    "Ready": members({"status": TEXT, "version": TEXT}),
    "TableSchema": members(
        {"fields": array(OBJECT)}, {}, "A Table Schema (https://datapackage.org/standard/table-schema/)."
    ),
    "SignedReleases": members(
        {"releases": array(LISTED)},
        words="The releases that the signature covers, newest first, each with the SHA-256 of its manifest.json.",
    ),
    "ApiCatalog": members(
        {"linkset": array(members({"anchor": ADDRESS}))}, {}, "A linkset (RFC 9264), as RFC 9727 has it."
    ),
    "Signed": members({"signed": OBJECT, "signatures": array(OBJECT)}, {}, "Signed metadata, as TUF has it."),
    "OpenAPI": members({"openapi": TEXT, "info": OBJECT, "paths": OBJECT}, {}, "This document."),
}
# What `data` holds, by the name of the response; its component schema has the envelope around it.
DATA: Mapping[str, Entry] = {
    "Service": members({"name": TEXT, "title": TEXT, "description": TEXT}),
    "Datasets": array("Summary"),
    "Dataset": members(
        {
            **SUMMARY,
            "primary_key": array(TEXT),
            "fields": array(OBJECT),
            "sources": array(OBJECT),
            "licenses": array(OBJECT),
            "citation": TEXT,
            "downloads": array(members({**FILE, "href": ADDRESS})),
        }
    ),
    "Releases": array("Release"),
    "ReleaseWithFiles": members({**RELEASE, "files": array(members({**FILE, "href": ADDRESS}, {"rows": COUNT}))}),
    "Facets": entries(
        array(members({"value": {}, "count": COUNT})),
        "For each requested field, its values with their counts, the most frequent first.",
    ),
    "Groups": array(
        entries(True, "A group: the fields it is grouped by, and each measure under its name in the request.")
    ),
    "Hits": array(members({"dataset": TEXT, "score": {"type": "number"}, "record": OBJECT, "links": "Links"})),
}
HEADERS: Mapping[str, tuple[Entry, str]] = {
    "ETag": (TEXT, "Identifies these bytes: send it as If-None-Match, and an unchanged response is a 304."),
    "Last-Modified": (TEXT, "When the release was published."),
    "Cache-Control": (TEXT, "How long the response may be cached: a year where the address names a version."),
    "Link": (TEXT, "The same addresses as in `links`: next, describedby, license, canonical."),
    "Vary": (TEXT, "The request headers that the response depends on."),
    "X-Data-Version": (TEXT, "The version of the release."),
    "X-Request-Id": (TEXT, "The request's own X-Request-Id, or a new one."),
    "Content-Length": (COUNT, "Always present, so that a broken download cannot look complete."),
    "Access-Control-Allow-Origin": ({"type": "string", "enum": ["*"]}, "Pages of any origin may send requests."),
    "Location": (ADDRESS, "The address of the resource."),
    "Retry-After": (TEXT, "Seconds to wait."),
}
EVERY = ("Content-Length", "X-Request-Id", "Access-Control-Allow-Origin")
DATA_HEADERS = ("ETag", "Last-Modified", "Cache-Control", "Link", "Vary", "X-Data-Version", *EVERY)
FILE_HEADERS = ("ETag", "Last-Modified", "Cache-Control", "X-Data-Version", *EVERY)
TAGGED = ("ETag", "Cache-Control", *EVERY)
HEADERS_OF = {"data": DATA_HEADERS, "file": FILE_HEADERS, "tagged": TAGGED, "plain": EVERY}
UNCHANGED = tuple(name for name in DATA_HEADERS if name != "Content-Length")
STATUSES: Mapping[int, str] = {
    206: "The bytes that the Range header names.",
    302: "Found: the address is in Location.",
    304: "Not modified: If-None-Match has the ETag of this response.",
    400: "A parameter is unknown, given more than once, or has an invalid value.",
    404: "Not found: no such address, row or release.",
    406: "None of the media types in Accept is offered.",
    409: "The sum or average would mix figures that are not parts of one whole.",
    410: "The row was retracted.",
    414: "The address is longer than the server reads (8,190 bytes). The response is not a problem document.",
    416: "The file does not have the bytes that the Range header names.",
    503: "The server cannot respond now.",
}
# The examples of problem documents, by type: detail and errors.
EITHER = "give either version or as_of, not both"
EXAMPLES: Mapping[str, tuple[str, list[Entry]]] = {
    "unknown-parameter": (
        "'limt' is not a parameter of this resource.",
        [{"parameter": "limt", "reason": "unknown", "did_you_mean": "limit"}],
    ),
    "invalid-parameter": ("limit: expected 1 to 1000", [{"parameter": "limit", "reason": "expected 1 to 1000"}]),
    "conflicting-parameters": (EITHER, [{"parameter": name, "reason": EITHER} for name in ("version", "as_of")]),
}


def components(spec: APISpec, instance: str) -> None:
    """Put in everything that is the same for every package; `instance` is the path in examples of problems."""
    for name, schema in {**SHARED, **{name: envelope(data) for name, data in DATA.items()}}.items():
        spec.components.schema(name, schema)
    for name, (schema, description) in HEADERS.items():
        required = name != "Retry-After"
        spec.components.header(name, {"description": description, "schema": schema, "required": required})
    for status in (400, 404, 406, 409, 410, 416, 503):
        spec.components.response(f"Problem{status}", _problem(status, instance))
    too_long = {"description": STATUSES[414], "content": {"text/html": {"schema": TEXT}}}
    spec.components.response("TooLong", too_long)
    spec.components.response("NotModified", {"description": STATUSES[304], "headers": headers(UNCHANGED)})


def _problem(status: int, instance: str) -> Entry:
    examples = {}
    for kind in [kind for kind, (own, _, _) in TYPES.items() if own == status] or ["invalid-parameter"]:
        _, title, meaning = TYPES[kind]
        detail, errors = EXAMPLES.get(kind, (meaning.partition(". ")[0].rstrip(".") + ".", []))
        value = {"type": f"/problems/{kind}", "title": title, "status": status, "detail": detail, "instance": instance}
        value |= {"errors": errors} if errors else {}
        examples[kind] = {"summary": title, "value": {**value, "request_id": "0a1b2c3d4e5f-7"}}
    names = (*EVERY, "Retry-After") if status == 503 else EVERY
    content = {MEDIA_TYPE: {"schema": "Problem", "examples": examples}}
    return {"description": STATUSES[status], "headers": headers(names), "content": content}


def headers(names: Iterable[str]) -> Entry:
    """References to headers."""
    return {name: name for name in names}


def envelope(data: Entry | str, included: Entry | None = None) -> Entry:
    """What a response holds: data, meta, links."""
    optional = {"included": included} if included else {}
    return members({"data": data, "meta": "Meta", "links": "Links"}, optional)


def of_table(spec: APISpec, table: Table, slugs: Mapping[str, str]) -> None:
    """Put in the responses with rows of one table; api.openapi.document has put in the row itself."""
    row, included = f"Row.{slugs[table.name]}", None
    if CONFLICTS in slugs:
        conflicts = array(f"Row.{slugs[CONFLICTS]}")
        included = members({}, {"conflicts": conflicts}, "The conflicts that the rows take part in.")
    spec.components.schema(f"Rows.{slugs[table.name]}", envelope(array(row), included))
    spec.components.schema(f"Record.{slugs[table.name]}", envelope(row, included))
    if table.name == CONFLICTS:
        position = f"Row.{slugs[POSITIONS]}" if POSITIONS in slugs else OBJECT
        figure = {"allOf": [position, members({}, {"figure": {**OBJECT, "nullable": True}})]}
        joined = {"allOf": [row, members({}, {"positions": array(figure)})]}
        spec.components.schema("Conflicts", envelope(array(joined)))
