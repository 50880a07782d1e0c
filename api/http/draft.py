"""Marks what is served as a draft: on every page, and so that no client keeps it."""

import re
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

STYLE = "margin:0;padding:.6rem 1rem;background:#7a1f1f;color:#fff;font:1rem/1.4 sans-serif;white-space:pre-wrap"
WORDS = "Draft: not published, not signed, made again when the package's files change."
STALE = "Your last change is not shown, because it has errors:"
# What a request may say of bytes that the client has, or of their form: a draft is sent whole and as it is.
UNHEEDED = ("IF_NONE_MATCH", "IF_MODIFIED_SINCE", "IF_RANGE", "RANGE", "ACCEPT_ENCODING")
DROPPED = ("cache-control", "etag", "last-modified", "repr-digest", "accept-ranges")


def marked(app: "WSGIApplication", errors: Path) -> "WSGIApplication":
    """The application with its responses marked. `errors` is a file with what is wrong with the latest edit, if any."""

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        for name in UNHEEDED:
            environ.pop(f"HTTP_{name}", None)
        began: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], _: object = None) -> Callable[[bytes], object]:
            began[:] = [(status, headers)]
            return lambda _: None

        body = app(environ, start)
        [(status, headers)] = began
        headers = [header for header in headers if header[0].lower() not in DROPPED]
        page = any(name.lower() == "content-type" and value.startswith("text/html") for name, value in headers)
        if page and environ["REQUEST_METHOD"] == "GET":
            try:
                content = b"".join(body)
            finally:
                if hasattr(body, "close"):
                    body.close()
            body = (_with_banner(content, errors),)
            headers = [header for header in headers if header[0].lower() != "content-length"]
            headers.append(("Content-Length", str(len(body[0]))))
        start_response(status, [*headers, ("Cache-Control", "no-store")])
        return body

    return answer


def _with_banner(page: bytes, errors: Path) -> bytes:
    words = f"{WORDS}\n{STALE}\n{errors.read_text('utf-8')}" if errors.exists() else WORDS
    banner = f'<div role="status" style="{STYLE}">{escape(words)}</div>'.encode()
    return re.sub(rb"<body[^>]*>|\Z", lambda found: found[0] + banner, page, count=1)
