"""What is served, operation by operation: one line for each view; routes, words and parameters come from the code."""

from collections.abc import Mapping
from dataclasses import dataclass

from api.http.views import aggregates, changes, conflicts, records, search
from api.http.views.catalogue import LINKSET_TYPE
from api.query import parameters
from api.query.parameters import no_parameters, release_parameters
from api.query.parse import Control

JSON_TYPE = "application/json"


@dataclass(frozen=True)
class Operation:
    """What does not follow from a view's code.

    `response` names what the 200 holds (api.openapi.responses); `control` is what the view passes to api.query.parse
    (None: it ignores parameters); `table` is its table where the address does not name it; `media` are its media types;
    `also` are statuses beyond those that follow from the rest; `headers` names those of the 200
    (api.openapi.responses.HEADERS_OF); `name`: the operationId, where another view has this one's name.
    """

    response: str
    control: Control | None = release_parameters
    filters: bool = False
    table: str = ""
    required: tuple[str, ...] = ()
    also: tuple[int, ...] = ()
    media: tuple[str, ...] = (JSON_TYPE,)
    headers: str = "data"
    name: str = ""


ROWS: tuple[str, ...] = ()  # whatever rows are offered in
PAGE = ("text/html",)
ANY = ("*/*",)

# endpoint: operation; None for a route that is not described
OPERATIONS: Mapping[str, Operation | None] = {
    "catalogue.home": Operation("Service", no_parameters, media=(*PAGE, JSON_TYPE)),
    "catalogue.service": Operation("Service"),
    "catalogue.api_catalog": Operation("ApiCatalog", no_parameters, media=(LINKSET_TYPE,)),
    "catalogue.datasets": Operation("Datasets"),
    "catalogue.dataset": Operation("Dataset"),
    "catalogue.schema": Operation("TableSchema"),
    "records.records": Operation("Rows", parameters.control, filters=True, media=ROWS),
    "records.records_as": Operation("Rows", parameters.control, filters=True, media=ROWS),
    "records.record": Operation("Record", records.row_control, also=(410,)),
    "history.history": Operation("History"),
    "aggregates.facets": Operation("Facets", aggregates.facet_control, filters=True),
    "aggregates.aggregates": Operation("Groups", aggregates.aggregate_control, filters=True, also=(409,)),
    "search.search": Operation("Hits", search.control, required=("q",), also=(503,)),
    "conflicts.all_conflicts": Operation("Conflicts", conflicts.control, filters=True, table="conflicts"),
    "conflicts.conflict": Operation("Conflict", table="conflicts", also=(410,)),
    "conflicts.all_corrections": Operation("Rows", parameters.control, filters=True, table="corrections"),
    "conflicts.correction": Operation("Record", records.row_control, table="corrections", also=(410,)),
    "feeds.corrections_feed": Operation("Feed", media=("application/atom+xml",), table="corrections"),
    "feeds.releases_feed": Operation("Feed", no_parameters, media=("application/atom+xml",)),
    "changes.changes": Operation("Changes", changes.control, also=(404,), media=("application/jsonl",)),
    "releases.releases": Operation("Releases", no_parameters),
    "releases.latest": Operation("Redirect", no_parameters, headers="plain"),
    "releases.release": Operation("ReleaseWithFiles", no_parameters),
    "releases.files": Operation("ReleaseWithFiles", no_parameters, media=(JSON_TYPE, *PAGE)),
    "releases.files_without_slash": None,  # leads to the one before
    "releases.latest_files": Operation("Redirect", no_parameters, headers="plain"),
    "releases.latest_file": Operation("Redirect", no_parameters, headers="plain"),
    "files.file": Operation("File", no_parameters, also=(206, 416), media=ANY, headers="file"),
    "tuf.releases": Operation("SignedReleases", no_parameters, also=(404,), headers="tagged", name="signed_releases"),
    "tuf.metadata": Operation("Signed", no_parameters, headers="tagged", name="signed_metadata"),
    "documentation.as_json": Operation("OpenAPI", no_parameters),
    "documentation.as_yaml": Operation("OpenAPI", no_parameters, media=("application/yaml",)),
    "documentation.page": Operation("Page", None, media=PAGE),
    "documentation.part": None,  # the page's scripts and styles
    "health.alive": Operation("Alive", no_parameters, headers="plain"),
    "health.ready": Operation("Ready", no_parameters, headers="plain", also=(503,)),
    "problems.explain": Operation("Page", None, media=PAGE, headers="plain"),
}
