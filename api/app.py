"""The application factory: a table of contents."""

from typing import Any

from flask import Flask

from api import settings
from api.http import errors, missing, proxies, request, responses
from api.http.cache import Cache
from api.http.views import (
    aggregates,
    catalogue,
    changes,
    conflicts,
    crawlers,
    discovery,
    facets,
    feeds,
    files,
    health,
    history,
    records,
    releases,
    search,
)
from api.index import layout, making
from api.openapi import views as documentation
from api.openapi.operations import OPERATIONS
from api.store.releases import Store


def create_app(**overrides: Any) -> Flask:
    """The application; `overrides` are settings (by name, without prefix) that come before the environment's."""
    app = errors.Application("api", static_folder=None)
    app.config.update(settings.load())
    app.config.update({n: settings.read(n, v) if isinstance(v, str) else v for n, v in overrides.items()})
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's provider has it, its base class not
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    folder = layout.folder(app.config["STORE"], app.config["INDEX"])
    store = app.extensions["store"] = Store(app.config["STORE"], folder, making.Background())
    for part in (errors, missing, request, responses):
        part.init_app(app)
    for view in (
        catalogue,
        records,
        history,
        facets,
        aggregates,
        search,
        conflicts,
        changes,
        crawlers,
        feeds,
        releases,
        files,
        health,
        documentation,
    ):
        app.register_blueprint(view.blueprint)
    app.register_blueprint(files.tuf)
    discovery.init_app(app, OPERATIONS)
    # In front of Flask, as its documentation says: no hook sees what the cache answers from memory (api.http.cache).
    app.wsgi_app = Cache(app.wsgi_app, store, app.config["CACHE_MB"])  # type: ignore[method-assign]  # Flask's way
    if app.config["RATE_LIMIT"]:
        from api.http import rate_limit  # with libraries that other servers need not load

        rate_limit.init_app(app)
    # Outermost, so that limits and logs know the client: what a trusted proxy says is true for all that is behind it.
    proxied = proxies.behind(app.wsgi_app, app.config["PROXIES"], app.config["BASE_URL"])
    app.wsgi_app = proxied  # type: ignore[assignment, method-assign]  # Flask's way
    return app
