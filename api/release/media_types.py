"""The media types of a release's files, by their names."""

from collections.abc import Mapping
from pathlib import Path

from api.release.formats import FORMATS

MEDIA_TYPES: Mapping[str, str] = {  # by the ending of a file's name
    ".json": "application/json",
    ".jsonld": "application/ld+json",
    ".md": "text/markdown; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".cff": "application/yaml",
    ".txt": "text/plain; charset=utf-8",
    ".bib": "application/x-bibtex",
    ".yaml": "application/yaml",
    ".sqlite": "application/vnd.sqlite3",
    ".zip": "application/zip",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    **{f".{one.name}": one.media_type for one in FORMATS.values()},
}


def media_type(path: str) -> str:
    """The media type of a file; plain text for LICENSE, SHA256SUMS and the like."""
    suffix = Path(path).suffix
    if path.endswith(".vl.json"):
        return "application/vnd.vegalite+json"
    return MEDIA_TYPES.get(suffix, "application/octet-stream" if suffix else "text/plain; charset=utf-8")
