"""Files for web servers that read their rules from the site itself, and the list of addresses."""

import json
from collections.abc import Collection, Iterable, Mapping

from api.export.addresses import Address
from api.http.responses import IMMUTABLE, MUTABLE, SANDBOX
from api.model.files import LICENSE, SUMS
from api.release.media_types import MEDIA_TYPES
from api.store.manifest import File

LIST = "_addresses.json"
MOST_ROWS = 20_000  # with more rows than that, the page of contents leaves them to the list
# Endings that no release file has, or whose type differs from that of their last part.
ALSO = {".atom": "application/atom+xml; charset=utf-8", ".vl.json": "application/vnd.vegalite+json"}
PLAIN = (LICENSE, SUMS)


def listed(entries: Mapping[Address, File], left_out: list[dict[str, str]]) -> bytes:
    """Every address with its file, media type, bytes and SHA-256; one a line, so that a difference can be read."""
    every = (
        {"address": address.path, "file": address.file, "media_type": address.media_type}
        | {"bytes": file.bytes, "sha256": file.sha256}
        for address, file in entries.items()
    )
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in every)
    return f'{{"addresses": [\n{lines}\n],\n"left_out": {json.dumps(left_out, ensure_ascii=False)}}}\n'.encode()


def headers() -> bytes:
    """_headers, as Netlify and Cloudflare Pages read it."""
    rules: list[tuple[str, Mapping[str, str]]] = [
        ("/*", {"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff"}),
        ("/v1/*", {"Cache-Control": MUTABLE}),
        ("/releases/*", {"Cache-Control": IMMUTABLE, "Content-Security-Policy": SANDBOX}),
        *(
            (path, {"Cache-Control": "no-cache"})
            for path in ("/tuf/timestamp.json", "/tuf/root.json", "/releases.json")
        ),
        *((f"/*{ending}", {"Content-Type": kind}) for ending, kind in {**MEDIA_TYPES, **ALSO}.items()),
        *((f"/releases/:version/{name}", {"Content-Type": "text/plain; charset=utf-8"}) for name in PLAIN),
    ]
    lines = [line for path, named in rules for line in (path, *(f"  {name}: {value}" for name, value in named.items()))]
    return ("\n".join(lines) + "\n").encode()


def redirects(addresses: Iterable[Address], rows: Collection[Address]) -> bytes:
    """_redirects: which file a document's address leads to; all rows of a collection by one rule."""
    lines, folders = [], dict[str, None]()
    for address in addresses:
        path, name = address.path, address.file.rpartition("/")[2]
        if address in rows:
            dataset, records, _ = path.partition("/records/")
            folders[f"{dataset}/records" if records else path.rpartition("/")[0]] = None
        elif name.startswith("index.") and not path.endswith("/"):
            lines.append(f"{path} {path}/{name} 200")
    lines += [f"{folder}/* {folder}/:splat/index.json 200" for folder in folders]
    return ("\n".join(lines) + "\n").encode()
