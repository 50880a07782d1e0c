"""Swagger UI around a document: an application of flasgger's, with a current Swagger UI from this host.

Of flasgger one thing is used: it serves a finished document and the page around it. It cannot make the document from
marshmallow's schemas (plain schemas, OpenAPI 3 and parameters that are not required fail in 0.9.7.1, its last release):
apispec, marshmallow's own library, does (api.openapi.document).
"""

from pathlib import Path
from typing import Any

import flask_swagger_ui
from flasgger import Swagger
from flask import Flask, send_file

DIST = Path(flask_swagger_ui.__file__).resolve().parent / "dist"
# What the page loads, and no more.
FILES = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-16x16.png", "favicon-32x32.png", "start.js")
# How the page behaves. Without colours a response of 100 rows is there in a third of the time; the extensions are the
# patterns and bounds of parameters.
PAGE = {
    **{"docExpansion": "none", "defaultModelsExpandDepth": -1, "filter": True, "deepLinking": True},
    **{"showCommonExtensions": True, "syntaxHighlight": False},
}


def app(document: dict[str, Any], title: str, policy: str) -> Flask:
    """The application that serves /openapi.json, /docs/ and what the page loads, which obeys a policy of content."""
    served = Flask("api", static_folder=None)
    served.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's provider has it, its base class not
    served.json.ensure_ascii = False  # type: ignore[attr-defined]  # the same provider has this
    config = {
        "openapi": "3.0.3",  # else the document is called Swagger 2.0 as well
        "title": title,
        "specs": [{"endpoint": "openapi", "route": "/openapi.json"}],
        "specs_route": "/docs/",
        "static_url_path": "/docs/static",
        "static_folder": str(DIST),  # the Swagger UI that flasgger brings obeys ?url= (GHSA-qrmm-w75w-3wpx)
        "headers": [],  # this and `auth` must be present
        "auth": {},
        "hide_top_bar": True,
        "policy": policy,
        "ui_params": PAGE,
    }
    served.add_url_rule("/docs/static/start.js", "start", view_func=lambda: send_file("templates/flasgger/start.js"))
    Swagger(served, config=config, template=document)
    return served
