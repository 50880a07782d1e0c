"""Pages for people."""

from flask import Blueprint, Response, render_template

from api import mirror
from api.http import request as ask
from api.http.responses import JSON_TYPE, address, document, finish
from api.http.views.catalogue import dataset_links, service_links
from api.index import database

blueprint = Blueprint("pages", __name__)
HTML_TYPE = "text/html; charset=utf-8"


@blueprint.get("/")
def home() -> Response:
    """A page that lists datasets, downloads and docs; or the service document, by Accept."""
    asked = ask.plain(ask.no_parameters)
    release = ask.store().latest()
    package = release.package
    if ask.acceptable({"html": HTML_TYPE, "json": JSON_TYPE}) == "json":
        data = {"name": package.name, "title": package.title, "description": package.description}
        return document(data, release, address(""), asked.canonical, {}, service_links(release))
    layouts = database.layouts(release.folder)
    datasets = [(table, layouts[table.name].rows, dataset_links(release, table)) for table in package.tables]
    html = render_template(
        "home.html",
        package=package,
        release=release,
        datasets=datasets,
        links=service_links(release),
        charts=package.descriptor.get("lantern:charts") or [],
        address=address,
        copied=mirror.status(ask.store().root),
    )
    return finish(html.encode(), release, address(""), media_type=HTML_TYPE)
