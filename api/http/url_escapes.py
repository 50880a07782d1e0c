"""Paths whose parts hold escaped slashes or commas.

WSGI hands over a decoded path, in which %2F is a slash like any other. Where a name or key holds one, the path is
decoded but for those escapes, and the views decode each part by itself.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

from api.http.request import ESCAPED

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ESCAPES = ("%2f", "%2c", "%25")


def keep_escapes(app: "WSGIApplication") -> "WSGIApplication":
    """The application, told of escapes that decoding would lose."""

    def wrapped(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        raw = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or "").partition("?")[0]
        if "%2" in raw and any(escape in raw.lower() for escape in ESCAPES[:2]):
            kept = raw if raw.startswith("/") else urlsplit(raw).path  # RFC 9112, 3.2.2: a target may name the host
            for escape in ("%25", "%2F", "%2f", "%2C", "%2c"):
                kept = kept.replace(escape, "%25" + escape[1:])
            environ["PATH_INFO"] = unquote_to_bytes(kept.encode("latin-1")).decode("latin-1")
            environ[ESCAPED] = True
        return app(environ, start_response)

    return wrapped
