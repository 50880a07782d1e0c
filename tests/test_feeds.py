"""Feeds are well-formed whatever the package holds."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import packages
import pytest
from served import served

ATOM = "{http://www.w3.org/2005/Atom}"
CONTROLS = "a\x01\x08\x0b\x1b[2J\x7f\x85\ufffeb"
REPLACED = "a\ufffd\ufffd\ufffd\ufffd[2J\x7f\x85\ufffdb"  # XML 1.0, 2.2


def test_what_xml_cannot_hold_is_replaced(tmp_path: Path) -> None:
    fields = ["id", "dataset", "record", "field", "old", "new", "reason", "kind", "date:date", "version"]
    row = [CONTROLS, "t", CONTROLS, "v", CONTROLS, CONTROLS, CONTROLS, CONTROLS, "2020-01-01", "1.0.0"]
    words = {"title": CONTROLS, "licenses": [{"name": CONTROLS}], "contributors": [{"title": CONTROLS}]}
    tables = (packages.table("t", ["id", "v"], [[CONTROLS, "1"]]), packages.table("corrections", fields, [row]))
    client = served(tmp_path, *tables, created="2020-01-01T00:00:00Z", **words)
    corrections, releases = (
        ElementTree.fromstring(client.get(f"/v1/{name}.atom").data) for name in ("corrections", "releases")
    )
    assert corrections.findtext(f"{ATOM}title") == f"Corrections: {REPLACED}"
    assert corrections.findtext(f"{ATOM}rights") == REPLACED
    assert corrections.findtext(f"{ATOM}entry/{ATOM}content") == (
        f"{REPLACED}\nv: {REPLACED} → {REPLACED}\nSince version 1.0.0."
    )
    assert releases.findtext(f"{ATOM}author/{ATOM}name") == REPLACED
    assert releases.findtext(f"{ATOM}entry/{ATOM}title") == f"{REPLACED} 1.0.0"


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "soon", ""])
def test_a_date_that_no_clock_can_show_breaks_no_feed(tmp_path: Path, date: str) -> None:
    rows = [["1", "t", "a", date], ["2", "t", "a", "2020-01-01T00:30:00+01:00"]]
    corrections = packages.table("corrections", ["id", "dataset", "record", "date"], rows)
    client = served(tmp_path, packages.table("t", ["id"], [["a"]]), corrections)
    feed = ElementTree.fromstring(client.get("/v1/corrections.atom").data)
    known, unknown = sorted((str(each.text) for each in feed.iterfind(f"{ATOM}entry/{ATOM}updated")), reverse=True)
    assert known == "2019-12-31T23:30:00+00:00"
    assert unknown < "1971"
