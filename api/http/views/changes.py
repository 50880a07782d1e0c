"""The changes between releases as JSON Lines."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache

from flask import Blueprint, Response
from marshmallow import fields, validate

from api.http.errors import ProblemError
from api.http.request import acceptable, dataset, of_release, store
from api.http.responses import Body, respond
from api.index.bounds import seconds_left
from api.index.layout import change_head
from api.model.descriptor import Table
from api.model.files import CHANGES
from api.query import parse
from api.query.fields import Parameters
from api.store.releases import Gone, Release, order

blueprint = Blueprint("changes", __name__)
LINES_TYPE = "application/jsonl"
BLOCK = 1 << 18
Span = tuple[int, int]  # where records are in a file: start and length


def control(_: Table) -> Parameters:
    """The parameters of the changes."""
    words = {
        "since": "Changes after this release; without it, from the first release on.",
        "until": "Changes up to and with this release (default: the latest).",
        "dataset": "Only changes of this dataset.",
    }
    length = validate.Length(1, 200)
    return {name: fields.String(validate=length, metadata={"description": text}) for name, text in words.items()}


@blueprint.get("/v1/changes")
def changes() -> Response:
    """Added, changed and removed rows between releases: each release's own changes, one after the other."""
    data_request = of_release("v1", "changes", control=control)
    acceptable({"jsonl": LINES_TYPE})
    more = data_request.query.more
    until = store().version(more["until"]) if "until" in more else data_request.release
    chain = list(reversed([*_back(until, more.get("since"))]))
    name = more.get("dataset")
    spans = [(release, span) for release in chain if (span := _span(release, name))[1]]
    if name is not None and not spans:
        dataset(until, name)  # says which name is near
    size = sum(span[1] for _, span in spans)
    mark = hashlib.sha256("\0".join(release.build for release in chain).encode()).hexdigest()
    return respond(data_request._replace(release=until), lambda: Body(_pieces(spans), {}, size), LINES_TYPE, mark=mark)


def _back(until: Release, since: str | None) -> Iterator[Release]:
    """The releases whose changes lead from `since` to `until`, newest first.

    Raises NotInStore for a release that is not here, QueryError where `since` does not come before.
    """
    if since is not None and order(store().version(since).version) > order(until.version):
        raise parse.wrong("since", f"expected a release before {until.version}")
    here = until
    while here.version != since:
        yield here
        previous = here.manifest.get("previous")
        if previous is None and since is not None:
            raise ProblemError("not-found", f"Release {until.version} does not follow from {since}.")
        known = {release.version for release in store().releases()}
        if previous is None or (since is None and previous not in known):
            return
        try:
            here = store().version(previous)
        except Gone as error:
            detail = f"The changes lead through a release that is not here: {error}. Begin again with all rows."
            raise ProblemError("gone", detail, release=asdict(error.entry)) from error


def _span(release: Release, dataset: str | None) -> Span:
    """Where the records of a dataset (None: of all) are in a release's file of changes."""
    if CHANGES not in release.files:
        return 0, 0
    return (0, release.files[CHANGES]["bytes"]) if dataset is None else _spans(release).get(dataset, (0, 0))


@lru_cache(maxsize=64)
def _spans(release: Release) -> Mapping[str, Span]:
    """Where the records of each dataset are: one run each."""
    heads = {change_head(release.version, name).encode(): name for name in release.manifest.get("changes", {})}
    runs: dict[str, Span] = {}
    seconds_left()  # of a request that reads many releases
    start, head = 0, b"\n"  # which no line begins with
    with (release.folder / CHANGES).open("rb") as file:
        for line in file:
            if not line.startswith(head):
                head = next(one for one in heads if line.startswith(one))
            first, length = runs.get(heads[head], (start, 0))
            runs[heads[head]] = first, length + len(line)
            start += len(line)
    return runs


def _pieces(spans: Sequence[tuple[Release, Span]]) -> Iterator[bytes]:
    for release, (start, length) in spans:
        with (release.folder / CHANGES).open("rb") as file:
            file.seek(start)
            while length > 0 and (piece := file.read(min(BLOCK, length))):
                length -= len(piece)
                yield piece
