"""The application factory: a table of contents."""

from typing import Any

from flask import Flask, Response

from api import settings
from api.http import direct, errors, responses, url_escapes
from api.http import request as ask
from api.http.cache import Cache
from api.http.views import aggregates, catalogue, changes, conflicts, files, health, home, records, search, tuf
from api.openapi import views
from api.store.releases import Store


def create_app(**given: Any) -> Flask:
    """The application; `given` settings (by name, without prefix) come before the environment's."""
    app = Flask("api", static_folder=None)
    app.config.update({**settings.load(), **given})
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's provider has it, its base class not
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    store = Store(app.config["STORE"])
    errors.init_app(app)
    app.register_error_handler(responses.KnownAlready, lambda _: Response())
    for part in (catalogue, records, aggregates, search, conflicts, changes, files, tuf, health, home, views):
        app.register_blueprint(part.blueprint)
    app.extensions["service"] = ask.Service(store, app.config["BASE_URL"], app.config["TIME_LIMIT"])
    inner = url_escapes.keep_escapes(direct.direct(app, app.wsgi_app))
    app.wsgi_app = Cache(inner, store, app.config["CACHE_MB"])  # type: ignore[method-assign]  # how Flask has it wrapped
    return app
