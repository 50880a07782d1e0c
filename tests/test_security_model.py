"""docs/SECURITY-MODEL.md: each threat names tests that exist, and no entry of the two lists is missing."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "docs" / "SECURITY-MODEL.md"
# https://theupdateframework.io/docs/security/
ATTACKS = {
    *("arbitrary installation", "endless data", "extraneous dependencies", "fast-forward", "indefinite freeze"),
    *("malicious mirrors preventing updates", "mix-and-match", "rollback", "slow retrieval", "key compromise"),
    "wrong software installation",
}
NAMED = re.compile(r"`(tests/\w+\.py)::(\w+)`")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table of a section, without its head."""
    section = MODEL.read_text().partition(f"## {heading}")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_test_that_is_named_exists() -> None:
    named = NAMED.findall(MODEL.read_text())
    assert len({*named}) > 50
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{path}::{name}"


def test_every_threat_names_a_test_and_the_lists_are_whole() -> None:
    readers, between, others = rows("Readers"), rows("Servers and networks"), rows("Packages")
    assert [row[0].partition(" ")[0] for row in readers] == [f"API{number}" for number in range(1, 11)]
    assert {row[0] for row in between} == ATTACKS
    assert len(others) >= 8
    for threat, _, held in [*readers, *between, *others]:
        assert NAMED.search(held), threat


def test_the_page_on_security_leads_there() -> None:
    assert "(docs/SECURITY-MODEL.md)" in (ROOT / "SECURITY.md").read_text()
