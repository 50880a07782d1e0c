"""What tools of others find in the OpenAPI document: nothing to mend."""

import json
from pathlib import Path

import pytest
from generators import served_document
from programs import CLIENTS, NODE_MODULES, run


@pytest.fixture(scope="module")
def document(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return served_document(server, tmp_path_factory.mktemp("document"))


def test_redocly_has_neither_errors_nor_warnings(document: Path) -> None:
    command = ["lint", "--config", CLIENTS / "redocly.yaml", "--format", "json", document]
    found = json.loads(run(NODE_MODULES / "redocly", *command, REDOCLY_TELEMETRY="off"))
    assert [(problem["ruleId"], problem["message"]) for problem in found["problems"]] == []


def test_spectral_has_neither_errors_nor_warnings(document: Path) -> None:
    command = ["lint", "--ruleset", CLIENTS / "spectral.yaml", "--format", "json", "--quiet", document]
    assert json.loads(run(NODE_MODULES / "spectral", *command)) == []
