"""What answers look like: the envelope, its data, headers and problem documents, as OpenAPI components."""

from collections.abc import Mapping
from typing import Any

from apispec import APISpec

from api.http.errors import MEDIA_TYPE, TYPES
from api.model.descriptor import Package, Table

Entry = dict[str, Any]
TEXT: Entry = {"type": "string"}
COUNT: Entry = {"type": "integer", "minimum": 0}
ADDRESS: Entry = {"type": "string", "format": "uri-reference"}
MOMENT: Entry = {"type": "string", "format": "date-time"}
OBJECT: Entry = {"type": "object"}


def ref(name: str, kind: str = "schemas") -> Entry:
    """A reference to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def listed(items: Entry) -> Entry:
    """An array of these."""
    return {"type": "array", "items": items}


def told(required: Mapping[str, Entry], more: Mapping[str, Entry] | None = None, description: str = "") -> Entry:
    """An object with these properties; clients must ignore others."""
    found: Entry = {"type": "object", "required": list(required), "properties": {**required, **(more or {})}}
    if not required:
        del found["required"]
    return {"description": description, **found} if description else found


SUMMARY = {"name": TEXT, "title": TEXT, "description": TEXT, "rows": COUNT, "links": ref("Links")}
SHA256: Entry = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
FILE = {"path": TEXT, "bytes": COUNT, "sha256": SHA256, "media_type": TEXT}
WITHDRAWN = {
    "type": "string",
    "nullable": True,
    "description": "Why the release must not be used any more; null where it may.",
}
RELEASE = {
    "version": TEXT,
    "published_at": MOMENT,
    "previous": {"type": "string", "nullable": True},
    "change_kinds": listed(TEXT),
    "changes": {
        "type": "object",
        "description": "How many rows of each dataset were added, changed and removed since the version before.",
        "additionalProperties": {"type": "object", "additionalProperties": COUNT},
    },
    "notes": {**TEXT, "description": "What the version's changelog says."},
    "withdrawn": WITHDRAWN,
    "rows": {"type": "object", "additionalProperties": COUNT},
    "bytes": COUNT,
    "links": ref("Links"),
}
# Component schemas that are the same for every package.
SHARED: Mapping[str, Entry] = {
    "Meta": told(
        {"version": TEXT, "published_at": MOMENT, "license": TEXT, "citation": TEXT},
        {
            "dataset": TEXT,
            "count": {**COUNT, "description": "How many entries this answer holds."},
            "total": {**COUNT, "description": "How many there are under the same filters."},
            "more": {
                "description": "Whether there are more groups than the limit; of facets, for each field.",
                "oneOf": [{"type": "boolean"}, {"type": "object", "additionalProperties": {"type": "boolean"}}],
            },
            "withdrawn": WITHDRAWN,
            "mirror": {
                "type": "object",
                "description": "Whose copy this is: upstream, synced_at, upstream_version, stale_after.",
                "additionalProperties": {"type": "string", "nullable": True},
            },
        },
        "From which release the answer is, how much of it there is, and how to cite it.",
    ),
    "Links": {
        "type": "object",
        "description": "Addresses by relation: self, next (null on the last page), describedby, permalink and others.",
        "additionalProperties": {"type": "string", "format": "uri-reference", "nullable": True},
    },
    "Problem": told(
        {
            "type": {**ADDRESS, "description": "An address that explains this type of problem."},
            "title": TEXT,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {**TEXT, "description": "What was wrong here."},
            "instance": {**TEXT, "description": "The path that was asked."},
            "request_id": TEXT,
        },
        {
            "errors": listed(
                told(
                    {"reason": TEXT},
                    {"parameter": TEXT, "field": TEXT, "did_you_mean": TEXT, "found": {"type": "array", "items": {}}},
                )
            )
        },
        "A problem document (RFC 9457). Types:\n\n"
        + "\n".join(f"- `{kind}` ({status}): {meaning}" for kind, (status, _, meaning) in TYPES.items()),
    ),
    "Summary": told(SUMMARY),
    "Release": told(RELEASE),
    "Alive": told({"status": TEXT, "version": {"type": "string", "nullable": True}}),
    "Ready": told({"status": TEXT, "version": TEXT}),
    "TableSchema": told(
        {"fields": listed(OBJECT)}, {}, "A Table Schema (https://datapackage.org/standard/table-schema/)."
    ),
    "SignedReleases": told(
        {"releases": listed(told({"version": TEXT, "manifest": SHA256, "published_at": TEXT, "withdrawn": WITHDRAWN}))},
        description="The releases that the signature covers, newest first, each with the SHA-256 of its manifest.json.",
    ),
    "ApiCatalog": told({"linkset": listed(told({"anchor": ADDRESS}))}, {}, "A linkset (RFC 9264), as RFC 9727 has it."),
    "Signed": told({"signed": OBJECT, "signatures": listed(OBJECT)}, {}, "Signed metadata, as TUF has it."),
    "OpenAPI": told({"openapi": TEXT, "info": OBJECT, "paths": OBJECT}, {}, "This document."),
}
# What stands in `data`, by the name of the answer; component schemas named after it with the envelope around.
DATA: Mapping[str, Entry] = {
    "Service": told({"name": TEXT, "title": TEXT, "description": TEXT}),
    "Datasets": listed(ref("Summary")),
    "Dataset": told(
        {
            **SUMMARY,
            "primary_key": listed(TEXT),
            "fields": listed(OBJECT),
            "sources": listed(OBJECT),
            "licenses": listed(OBJECT),
            "citation": TEXT,
            "downloads": listed(told({**FILE, "href": ADDRESS})),
        }
    ),
    "Releases": listed(ref("Release")),
    "ReleaseWithFiles": told({**RELEASE, "files": listed(told({**FILE, "href": ADDRESS}, {"rows": COUNT}))}),
    "Facets": {
        "type": "object",
        "description": "For each field asked for, its values with their counts, the most frequent first.",
        "additionalProperties": listed(told({"value": {}, "count": COUNT})),
    },
    "Groups": listed(
        {
            "type": "object",
            "description": "A group: the fields it is grouped by, and each measure under the name it was asked with.",
            "additionalProperties": True,
        }
    ),
    "Hits": listed(told({"dataset": TEXT, "score": {"type": "number"}, "record": OBJECT, "links": ref("Links")})),
}
HEADERS: Mapping[str, tuple[Entry, str]] = {
    "ETag": (TEXT, "Names these bytes: send it as If-None-Match and an unchanged answer is a 304."),
    "Last-Modified": (TEXT, "When the release was published."),
    "Cache-Control": (TEXT, "How long the answer may be kept: for good where the address names a version."),
    "Link": (TEXT, "The same addresses as in `links`: next, describedby, license, canonical."),
    "Vary": (TEXT, "What the answer depends on besides the address."),
    "X-Data-Version": (TEXT, "The version of the release."),
    "X-Request-Id": (TEXT, "The request's own X-Request-Id, or a new one."),
    "Content-Length": (COUNT, "Always there, so that a broken download cannot look whole."),
    "Access-Control-Allow-Origin": ({"type": "string", "enum": ["*"]}, "Every page may ask."),
    "Location": (ADDRESS, "Where it is."),
    "Retry-After": (TEXT, "Seconds to wait."),
}
EVERY = ("Content-Length", "X-Request-Id", "Access-Control-Allow-Origin")
FINISHED = ("ETag", "Last-Modified", "Cache-Control", "Link", "Vary", "X-Data-Version", *EVERY)
FILE_HEADERS = ("ETag", "Last-Modified", "Cache-Control", "X-Data-Version", *EVERY)
TAGGED = ("ETag", "Cache-Control", *EVERY)
HEADERS_OF = {"finished": FINISHED, "file": FILE_HEADERS, "tagged": TAGGED, "plain": EVERY}
UNCHANGED = tuple(name for name in FINISHED if name != "Content-Length")
OPTIONAL = ("Retry-After",)
WORDS: Mapping[int, str] = {
    206: "The bytes that the Range header asks for.",
    302: "Found: the address is in Location.",
    304: "Not modified: If-None-Match names what would be answered.",
    400: "A parameter is unknown, given twice, or has a value that cannot be read.",
    404: "There is no such thing, or no such release.",
    406: "None of the media types that Accept names is offered.",
    409: "The sum or average would mix figures that are no parts of one whole.",
    410: "The row was retracted.",
    414: "The address is longer than the server reads (8,190 bytes). It says so itself, without a problem document.",
    416: "The Range header asks for bytes that the file does not have.",
    503: "The server cannot answer now.",
}
# What problem documents say in examples, by type: detail, members besides.
SAID: Mapping[str, tuple[str, Entry]] = {
    "unknown-parameter": (
        "'limt' is not a parameter of this resource.",
        {"errors": [{"parameter": "limt", "reason": "unknown", "did_you_mean": "limit"}]},
    ),
    "invalid-parameter": (
        "limit: expected 1 to 1000",
        {"errors": [{"parameter": "limit", "reason": "expected 1 to 1000"}]},
    ),
    "conflicting-parameters": (
        "give either version or as_of, not both",
        {
            "errors": [
                {"parameter": n, "reason": "give either version or as_of, not both"} for n in ("version", "as_of")
            ]
        },
    ),
}


def components(spec: APISpec, instance: str) -> None:
    """Put in everything that is the same for every package; `instance` is a path that examples can speak of."""
    for name, schema in SHARED.items():
        spec.components.schema(name, schema)
    for name, data in DATA.items():
        spec.components.schema(name, envelope(data))
    for name, (schema, words) in HEADERS.items():
        header = {"description": words, "schema": schema}
        spec.components.header(name, header if name in OPTIONAL else {**header, "required": True})
    for status in (400, 404, 406, 409, 410, 416, 503):
        spec.components.response(f"Problem{status}", _problem(status, instance))
    too_long = {"description": WORDS[414], "content": {"text/html": {"schema": TEXT}}}
    spec.components.response("TooLong", too_long)
    spec.components.response("NotModified", {"description": WORDS[304], "headers": headers(UNCHANGED)})


def _problem(status: int, instance: str) -> Entry:
    kinds = [kind for kind, (own, _, _) in TYPES.items() if own == status] or ["invalid-parameter"]
    examples = {kind: {"summary": TYPES[kind][1], "value": _example(kind, status, instance)} for kind in kinds}
    names = (*EVERY, "Retry-After") if status == 503 else EVERY
    content = {MEDIA_TYPE: {"schema": ref("Problem"), "examples": examples}}
    return {"description": WORDS[status], "headers": headers(names), "content": content}


def _example(kind: str, status: int, instance: str) -> Entry:
    detail, more = SAID.get(kind, (TYPES[kind][2].partition(". ")[0].rstrip(".") + ".", {}))
    said = {"type": f"/problems/{kind}", "title": TYPES[kind][1], "status": status, "detail": detail}
    return {**said, "instance": instance, **more, "request_id": "0a1b2c3d4e5f-7"}


def headers(names: tuple[str, ...]) -> Entry:
    """References to headers."""
    return {name: ref(name, "headers") for name in names}


def envelope(data: Entry, included: Entry | None = None) -> Entry:
    """The shape of an answer: data, meta, links."""
    more = {"included": included} if included else {}
    return told({"data": data, "meta": ref("Meta"), "links": ref("Links")}, more)


def of_table(spec: APISpec, table: Table, slug: str, package: Package, slugs: Mapping[str, str]) -> None:
    """Put in the answers with rows of one table; api.openapi.document has put in the row itself."""
    one = ref(f"Row.{slug}")
    included = None
    if "conflicts" in slugs:
        included = told({}, {"conflicts": listed(ref(f"Row.{slugs['conflicts']}"))}, "The conflicts rows take part in.")
    spec.components.schema(f"Rows.{slug}", envelope(listed(one), included))
    spec.components.schema(f"Record.{slug}", envelope(one, included))
    if table.name == "conflicts":
        position: Entry = ref(f"Row.{slugs['conflict_positions']}") if "conflict_positions" in slugs else OBJECT
        figure = {"allOf": [position, told({}, {"figure": {"type": "object", "nullable": True}})]}
        joined = {"allOf": [one, told({}, {"positions": listed(figure)})]}
        spec.components.schema("Conflicts", envelope(listed(joined)))
