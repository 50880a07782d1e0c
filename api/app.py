"""The application factory: a table of contents."""

from typing import Any

from flask import Flask

from api import settings
from api.http import errors, responses
from api.http.cache import Cache
from api.http.request import Segment, Segments, keep_escapes
from api.http.views import aggregates, catalogue, changes, conflicts, files, health, home, records, search, tuf
from api.openapi import views as documentation
from api.store.releases import Store


def create_app(**given: Any) -> Flask:
    """The application; `given` settings (by name, without prefix) come before the environment's."""
    app = Flask("api", static_folder=None)
    app.config.update({**settings.load(), **given})
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's provider has it, its base class not
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    app.url_map.converters |= {"segment": Segment, "segments": Segments}
    store = app.extensions["store"] = Store(app.config["STORE"])
    errors.init_app(app)
    responses.init_app(app)
    for part in (catalogue, records, aggregates, search, conflicts, changes, files, tuf, health, home, documentation):
        app.register_blueprint(part.blueprint)
    # The cache stands in front of Flask: what it answers from memory, no hook or extension sees (api.http.cache).
    app.wsgi_app = Cache(keep_escapes(app.wsgi_app), store, app.config["CACHE_MB"])  # type: ignore[method-assign]
    return app
