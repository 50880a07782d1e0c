"""Pages for people."""

from flask import Blueprint, Response, render_template

from api.http.request import acceptable, address, permalink, refuse_parameters, store, without_parameters
from api.http.responses import JSON_TYPE, Body, copied_from, document, respond
from api.http.views.catalogue import about, dataset_links, service_links
from api.index import sqlite
from api.store.releases import Release

blueprint = Blueprint("home", __name__)
HTML_TYPE = "text/html; charset=utf-8"


@blueprint.get("/")
def home() -> Response:
    """A page that lists datasets, downloads and docs; or the service document, by Accept."""
    refuse_parameters()
    release = store().latest()
    data_request = without_parameters(release, "")
    if acceptable({"html": HTML_TYPE, "json": JSON_TYPE}) == "json":
        links = {**service_links(release), "permalink": permalink(address("v1", ""), (), release)}
        return document(data_request, about(release), {}, links)
    return respond(data_request, lambda: Body(_page(release)), HTML_TYPE)


def _page(release: Release) -> bytes:
    package = release.package
    layouts = sqlite.layouts(release.index)
    datasets = [(table, layouts[table.name].rows, dataset_links(release, table)) for table in package.tables]
    return render_template(
        "home.html",
        package=package,
        release=release,
        datasets=datasets,
        links=service_links(release),
        charts=package.descriptor.get("lantern:charts") or [],
        address=address,
        copied=copied_from(),
    ).encode()
