"""What is served, operation by operation: one line for each view; routes, words and parameters come from the code."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from api.http.views import aggregates, changes, conflicts, facets, records, search
from api.http.views.catalogue import LINKSET_TYPE
from api.http.views.listed import OFFERED
from api.query import parameters
from api.query.form import Control
from api.query.parameters import no_parameters, release_parameters

JSON_TYPE = "application/json"


@dataclass(frozen=True)
class Operation:
    """What does not follow from a view's code.

    `response` names what the 200 holds (api.openapi.responses); `control` is what the view passes to api.query.parse
    (None: it ignores parameters); `each`: it differs from dataset to dataset, so each has its own; others are described
    once; `table` is its table where the address does not name it; `media` is its media type; `formats` gives those of
    an address with an extension, which is an operation for each; `also` are statuses beyond those that follow from the
    rest; `headers`: those of data, `tagged` with an ETag alone, of a file, or `plain` ones; `name`: the operationId,
    where the view's own name says too little.
    """

    response: str
    control: Control | None = release_parameters
    filters: bool = False
    each: bool = False
    table: str = ""
    required: tuple[str, ...] = ()
    also: tuple[int, ...] = ()
    media: str = JSON_TYPE
    headers: str = "data"
    name: str = ""
    formats: Callable[[], Mapping[str, str]] | None = None


PAGE = "text/html"

# endpoint: operation; None for a route that is not described
OPERATIONS: Mapping[str, Operation | None] = {
    "catalogue.home": Operation("Service", no_parameters),
    "catalogue.service": Operation("Service"),
    "catalogue.api_catalog": Operation("ApiCatalog", no_parameters, media=LINKSET_TYPE),
    "catalogue.datasets": Operation("Datasets"),
    "catalogue.dataset": Operation("Dataset"),
    "catalogue.schema": Operation("TableSchema"),
    "records.records": Operation("rows", parameters.control, filters=True, each=True),
    "records.records_as": Operation(
        "AnyRows", parameters.control, filters=True, name="records", formats=records.offered
    ),
    "records.record": Operation("record", records.row_control, each=True, also=(410,)),
    "facets.facets": Operation("Facets", facets.control, filters=True, each=True),
    "facets.facets_as": Operation("Facets", facets.control, filters=True, name="facets", formats=lambda: OFFERED),
    "aggregates.aggregates": Operation("Groups", aggregates.control, filters=True, each=True, also=(409,)),
    "aggregates.aggregates_as": Operation(
        "Groups", aggregates.control, filters=True, name="aggregate", also=(409,), formats=lambda: OFFERED
    ),
    "history.history": Operation("History"),
    "search.search": Operation("Hits", search.control, required=("q",), also=(503,)),
    "conflicts.all_conflicts": Operation("Conflicts", conflicts.control, filters=True, table="conflicts"),
    "conflicts.conflict": Operation("Conflict", table="conflicts", also=(410,)),
    "conflicts.all_corrections": Operation("rows", parameters.control, filters=True, table="corrections"),
    "conflicts.correction": Operation("record", records.row_control, table="corrections", also=(410,)),
    "feeds.corrections_feed": Operation("Feed", media="application/atom+xml", table="corrections"),
    "feeds.releases_feed": Operation("Feed", no_parameters, media="application/atom+xml"),
    "crawlers.robots": Operation("Robots", no_parameters, media="text/plain", headers="plain"),
    "crawlers.sitemap": Operation("Sitemap", no_parameters, media="application/xml", headers="plain"),
    "changes.changes": Operation("Changes", changes.control, also=(404,), media="application/jsonl"),
    "releases.releases": Operation("Releases", no_parameters),
    "releases.latest": Operation("Redirect", no_parameters, headers="plain", name="latest_release"),
    "releases.release": Operation("ReleaseWithFiles", no_parameters, also=(410,)),
    "releases.files": Operation("ReleaseWithFiles", no_parameters, also=(410,), name="release_files"),
    "releases.files_without_slash": None,  # leads to the one before
    "releases.latest_files": Operation("Redirect", no_parameters, headers="plain"),
    "releases.latest_file": Operation("Redirect", no_parameters, headers="plain"),
    "files.file": Operation(
        "File", no_parameters, also=(206, 410, 416), media="*/*", headers="file", name="release_file"
    ),
    "tuf.releases": Operation("SignedReleases", no_parameters, also=(404,), headers="tagged", name="signed_releases"),
    "tuf.metadata": Operation("SignedMetadata", no_parameters, also=(410,), headers="tagged", name="signed_metadata"),
    "documentation.as_json": Operation("OpenAPI", no_parameters, name="openapi_json"),
    "documentation.as_yaml": Operation("OpenAPI", no_parameters, media="application/yaml", name="openapi_yaml"),
    "documentation.page": Operation("Page", None, media=PAGE, name="docs"),
    "documentation.part": None,  # the page's scripts and styles
    "health.alive": Operation("Alive", no_parameters, headers="plain"),
    "health.ready": Operation("Ready", no_parameters, headers="plain", also=(503,)),
    "problems.explain": Operation("Page", None, media=PAGE, headers="plain", name="problem_type"),
}
