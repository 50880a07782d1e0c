"""The command status: what an operator must know of a store, read from its files; no server need run."""

import json
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from api.cli.options import STORE, Config, echo, store
from api.http import condition
from api.mirror import utc_text
from api.model.files import RELEASES
from api.store import release_index, signatures
from api.store.releases import Release, Store, has_index

SPARE = 10**9  # bytes: a disk is nearly full below them, or 5 % if that is less, or twice what the newest release takes


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document (docs/OPERATIONS.md).")
@STORE
@click.pass_obj
def status(config: Config, as_json: bool) -> None:
    """What an operator must know: releases, signatures, the last sync, disks; status 1 when something needs a person.

    Reads the files of the store; no server need run. For cron: what needs a person stands last, a line each.
    """
    logging.getLogger("lantern").addHandler(logging.NullHandler())  # what a server would log stands on the page
    found = _found(store(config), config)
    echo(json.dumps(found, ensure_ascii=False, indent=2) if as_json else "\n".join(_page(found)))
    if found["needs"]:
        sys.exit(1)


def _found(shelf: Store, config: Config) -> dict[str, Any]:
    now, releases = datetime.now(UTC), shelf.releases()
    warned = condition.warnings(shelf, config, now)
    every = _releases(shelf, warned)
    folders = [_there(place.absolute()) for place in (shelf.index, shelf.root)]
    disks = [_disk(folder, releases) for folder in {folder.stat().st_dev: folder for folder in folders}.values()]
    needs = [f"{one.version}: {one.reason}" for one in warned if not one.passing]
    if not signatures.of(shelf.root) and releases:
        needs.append("the store was never signed: run `lantern sign`")
    else:
        unsigned = [one["version"] for one in every if not one["signed"] and one["version"] not in shelf.problems]
        needs += [f"release {version} is not in the signed list: run `lantern sign`" for version in unsigned]
    full = [disk for disk in disks if disk["free"] < disk["needed"]]
    needs += [f"the disk of {disk['folder']} is nearly full: {disk['free'] / 1e9:.3f} GB are free" for disk in full]
    return {
        "store": str(shelf.root.absolute()),
        "checked_at": utc_text(now),
        "latest": condition.latest(shelf, warned),
        "releases": every,
        "signatures": condition.signed(shelf, now),
        "mirror": condition.copied(shelf, now),
        "disks": disks,
        "needs": needs,
    }


def _releases(shelf: Store, warned: list[condition.Warned]) -> list[dict[str, Any]]:
    """Each release, newest first; those that cannot be read come last."""
    signed = set()
    with suppress(OSError, release_index.BadList):  # which is among what is wrong
        signed = {entry.version for entry in release_index.of(shelf.root)}
    unserved = {one.version: one.reason for one in warned if not one.served}
    every = [
        {
            "version": release.version,
            "published_at": release.published_at,
            "served": release.version not in unserved and has_index(release),
            "reason": unserved.get(release.version),
            "withdrawn": release.withdrawn,
            "signed": release.version in signed,
        }
        for release in shelf.releases()
    ]
    unknown = {"published_at": None, "served": False, "withdrawn": None}
    return every + [
        {"version": name, **unknown, "reason": reason, "signed": name in signed}
        for name, reason in shelf.problems.items()
        if name in signed or os.path.lexists(shelf.root / RELEASES / name)
    ]


def _there(place: Path) -> Path:
    """A folder, or what there is above it."""
    return place if os.path.exists(place) else _there(place.parent)


def _disk(folder: Path, releases: tuple[Release, ...]) -> dict[str, Any]:
    """A folder's disk: bytes in all and free, and those that should be."""
    total, _, free = shutil.disk_usage(folder)
    newest = sum(entry["bytes"] for release in releases[:1] for entry in release.files.values())
    newest += sum(path.stat().st_size for release in releases[:1] for path in release.index.glob("*"))
    return {"folder": str(folder), "total": total, "free": free, "needed": max(min(total // 20, SPARE), 2 * newest)}


def _page(found: dict[str, Any]) -> Iterator[str]:
    """The page for people."""
    yield f"Store       {found['store']}, {found['checked_at']}"
    yield f"Latest      {found['latest'] or 'none can be served'}"
    for one in found["releases"]:
        state = "served" if one["served"] else f"not served: {one['reason']}"
        gone = "" if one["withdrawn"] is None else f"; withdrawn: {one['withdrawn']}"
        published = one["published_at"] or "at an unknown time"
        yield f"Release     {one['version']}, published {published}: {state}{gone}"
    for role, one in found["signatures"].items():
        days = "cannot be read" if one["days_left"] is None else f"until {one['expires']} ({one['days_left']:.1f} days)"
        yield f"Signature   {role:<9} {days}"
    if not found["signatures"]:
        yield "Signature   none"
    if mirror := found["mirror"]:
        synced = mirror["synced_at"] or "at an unknown time"
        yield f"Mirror      of {mirror['upstream'] or 'an unknown origin'}, synced {synced}, holds {mirror['holds']}"
    for disk in found["disks"]:
        yield f"Disk        {disk['free'] / 1e9:.3f} of {disk['total'] / 1e9:.3f} GB free in {disk['folder']}"
    yield from (f"Needs you   {need}" for need in found["needs"])
    if not found["needs"]:
        yield "Nothing needs you."


COMMANDS = (status,)
