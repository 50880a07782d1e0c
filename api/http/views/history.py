"""One row through the releases: what each did to it, why, and how the row was.

The rows are looked up by key in the index of each release and compared, so this takes a few lookups a release however
large the tables and their changes are.
"""

import json
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

from flask import Blueprint, Response

from api.http.errors import ProblemError
from api.http.request import DataRequest, acceptable, address, of_dataset, store, tables, with_query
from api.http.responses import JSON_TYPE, Body, compact, envelope, respond
from api.http.rows import key_parts, row_if_any, row_path
from api.index.layout import FIELD_SEPARATOR, ROW_SEPARATOR
from api.model.descriptor import Table
from api.query.reshape import field_head
from api.query.retractions import corrections_of
from api.store.releases import Release, has_index, order

blueprint = Blueprint("history", __name__)


class State(NamedTuple):
    """A row in one release: its JSON, None where the release lacks it; and the table, None likewise."""

    release: Release
    table: Table | None
    text: str | None


class Step(NamedTuple):
    """What a release did to a row: added, changed or removed it; `present`: nothing is known of before.

    `state` is the row as it was then, or as it was last; `fields`: name, old and new value as JSON, and whether both
    releases have the field.
    """

    release: Release
    previous: Release | None
    change: str
    state: State
    fields: tuple[tuple[str, str, str, bool], ...] = ()


@blueprint.get("/v1/datasets/<name>/records/<raw:key>/history")
def history(name: str, key: str) -> Response:
    """A row through the releases, newest first: what each added, changed or removed, with corrections that say why."""
    data_request = of_dataset(name)
    acceptable({"json": JSON_TYPE})
    release, table, _, _ = data_request
    if not table.primary_key:
        detail = f"Rows of {table.name!r} have no key by which they could be found in other releases."
        raise ProblemError("not-found", f"{detail} What was added and removed: {address('v1', 'changes')}")
    parts = key_parts(table, key)
    past = [one for one in _usable() if one is not release and order(one.version) < order(release.version)]
    every = [release, *past]
    data_request = data_request._replace(path=f"{row_path(table, parts)}/history")
    # A release of before may come (to a mirror) or be withdrawn: such an answer is not kept for a year.
    mark = "\0".join(one.build for one in every)
    return respond(data_request, lambda: _history(data_request, every, parts), mark=mark, lasting=False)


def changed_in(release: Release, table: Table, parts: Sequence[str]) -> list[str]:
    """The later releases, oldest first, that changed a value of a row or removed it; a field that came is no change."""
    if not table.primary_key:  # a position names another row in another release
        return []
    latest = store().latest()
    later = [one for one in _usable() if order(release.version) < order(one.version) <= order(latest.version)]
    steps = _steps(_states([*(one for one in later if has_index(one)), release], table, parts))
    told = [step for step in steps if step.change == "removed" or any(both for *_, both in step.fields)]
    return [step.release.version for step in reversed(told)]


def _usable() -> list[Release]:
    """The releases that were not withdrawn, newest first: one that was answers only to who names it."""
    return [release for release in store().releases() if release.withdrawn is None]


def _states(releases: Sequence[Release], table: Table, parts: Sequence[str]) -> list[State]:
    """The row in each release. Where a table has another key, its rows are others."""
    states = []
    for release in releases:
        own = tables(release).get(table.name)
        row = row_if_any(release, own, parts) if own and own.primary_key == table.primary_key else None
        states.append(State(release, own, row[1] if row else None))
    return states


def _steps(states: Sequence[State]) -> list[Step]:
    """What each release did to the row, newest first; none for the oldest, of which nothing came before."""
    steps = []
    for now, was in pairwise(states):
        between = now.release, was.release
        if now.text is None or was.text is None:
            if now.text != was.text:
                change, state = ("removed", was) if now.text is None else ("added", now)
                steps.append(Step(*between, change, state))
        elif fields := _differences(was, now):
            steps.append(Step(*between, "changed", now, fields))
    return steps


def _differences(was: State, now: State) -> tuple[tuple[str, str, str, bool], ...]:
    """The fields whose values differ, as values: 1 and 1.0 are one number, as in a release's changes."""
    if was.text == now.text:
        return ()
    old, new = _cells(was), _cells(now)
    pairs = [(name, old.get(name, "null"), new.get(name, "null")) for name in dict.fromkeys([*new, *old])]
    return tuple((*pair, pair[0] in old and pair[0] in new) for pair in pairs if _value(pair[1]) != _value(pair[2]))


def _cells(state: State) -> dict[str, str]:
    """The JSON of each value of a row, by field."""
    assert state.table is not None and state.text is not None
    parts = state.text[1:-1].split(FIELD_SEPARATOR)
    return {name: part[len(field_head(name)) :] for name, part in zip(state.table.index, parts, strict=True)}


def _value(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def _history(data_request: DataRequest, releases: Sequence[Release], parts: Sequence[str]) -> Body:
    release, table, _, _ = data_request
    states = _states(releases, table, parts)
    steps, oldest = _steps(states), states[-1]
    if oldest.text is not None:
        first = oldest.release.manifest.get("previous") is None
        steps.append(Step(oldest.release, None, "added" if first else "present", oldest))
    name = ",".join(parts)
    if not steps:
        raise ProblemError("not-found", f"No release up to {release.version} has a row {name!r} in {table.name!r}.")
    told = corrections_of(release, table.name, name)
    path, schema = row_path(table, parts), address("v1", "datasets", table.name, "schema")
    entries = [
        _entry(step, path, [text for row, text in told if row["version"] == step.release.version]) for step in steps
    ]
    record = path if states[0].text is not None or told else None
    meta = {"dataset": table.name, "record": name, "count": len(steps), "total": len(steps)}
    links = {"record": record, "collection": path.rpartition("/")[0], "describedby": schema}
    return Body(envelope(data_request, f"[\n{ROW_SEPARATOR.join(entries)}\n]", meta, links), {"describedby": schema})


def _entry(step: Step, path: str, corrections: Sequence[str]) -> str:
    """One step as JSON; values and rows are as their releases have them."""
    head = {
        "version": step.release.version,
        "published_at": step.release.published_at,
        "previous": step.previous.version if step.previous else None,
        "change": step.change,
    }
    fields = [f'{{"field":{compact(name)},"old":{old},"new":{new}}}' for name, old, new, _ in step.fields]
    permanent = {"record": with_query(path, (("version", step.state.release.version),))}
    return (
        f'{compact(head)[:-1]},"fields":[{",".join(fields)}],"corrections":[{",".join(corrections)}],'
        f'"row":{step.state.text},"links":{compact(permanent)}}}'
    )
