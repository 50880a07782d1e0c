"""Questions about a dataset, answered without Flask's dispatch, which would cost a third of a page.

The views are the same, found in Flask's own map of addresses. What is no finished answer (an error, a form other than
JSON, any other address) goes through Flask as ever.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from api.http import request as ask
from api.http.answer import KEY

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

RAISED = "lantern.raised"  # in the WSGI environ: why there is no answer
_RULE = re.compile("/v1/datasets/<name>/([a-z]+)")
_PATH = re.compile("/v1/datasets/([^/]+)/([a-z]+)")
_JSON = ("", "*/*", "application/json")


def direct(app: Flask, inner: "WSGIApplication") -> "WSGIApplication":
    """The application `inner` (Flask's), before it the views of `app` about a dataset by its name."""
    views = _views(app)
    service: ask.Service = app.extensions["service"]

    def wrapped(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        end = ask.serve(service, environ)
        try:
            found = _PATH.fullmatch(environ["PATH_INFO"])
            view = views.get(found[2]) if found else None
            if view and environ["REQUEST_METHOD"] in ("GET", "HEAD") and environ.get("HTTP_ACCEPT", "") in _JSON:
                assert found is not None
                try:
                    view(found[1].encode("latin-1").decode())
                except Exception as error:  # whatever it is, Flask's handlers turn it into a problem document
                    environ[RAISED] = error
                if KEY in environ:
                    return ()
            return inner(environ, start_response)
        finally:
            end()

    app.before_request(_raised)
    return wrapped


def _views(app: Flask) -> Mapping[str, Callable[[str], Any]]:
    """The views of addresses that say nothing but a dataset's name, by their last word."""
    matched = [(_RULE.fullmatch(rule.rule), rule.endpoint) for rule in app.url_map.iter_rules()]
    return {found[1]: app.view_functions[endpoint] for found, endpoint in matched if found}


def _raised() -> None:
    """Raise what was met before Flask was asked."""
    error = request.environ.get(RAISED)
    if error is not None:
        raise error
