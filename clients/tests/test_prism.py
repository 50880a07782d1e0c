"""Prism stands between a client and the server, and refuses what is not as the OpenAPI document says (--errors)."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest
import requests
import truth
from generators import served_document
from programs import CLIENTS, NODE_MODULES, program

START_SECONDS = 60


@pytest.fixture(scope="module")
def proxy(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program("node")
    folder = tmp_path_factory.mktemp("prism")
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port = chosen.getsockname()[1]
    command = [NODE_MODULES / "prism", "proxy", served_document(server, folder), server]
    command += ["--errors", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=CLIENTS, stdout=log, stderr=log, start_new_session=True)
    try:
        end = time.monotonic() + START_SECONDS
        while b"Prism is listening" not in (folder / "log").read_bytes():
            assert time.monotonic() < end and process.poll() is None, (folder / "log").read_text()[-3000:]
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_rows_pass(proxy: str) -> None:
    query = {"where": [f"indicator__in={','.join(truth.LISTED)}"], "sort": truth.SORT}
    answer = requests.get(f"{proxy}/v1/datasets/exports/records", params=query)
    assert truth.figures(answer.json()["data"]) == truth.of_the_list()


@pytest.mark.parametrize(
    "path",
    [
        "/v1/",
        "/v1/datasets",
        "/v1/datasets/exports",
        "/v1/datasets/exports/schema",
        "/v1/datasets/exports/records?limit=1000",
        "/v1/datasets/exports/records/exp-001",
        "/v1/datasets/exports/records.csv?limit=2",
        "/v1/datasets/exports/records.jsonl?limit=2",
        "/v1/datasets/exports/facets?facet=indicator",
        "/v1/datasets/exports/aggregate?group_by=year&measure=count",
        "/v1/datasets/sources/records?limit=1000",
        "/v1/conflicts",
        "/v1/corrections",
        "/v1/releases",
        "/v1/releases/1.1.0",
        "/v1/search?q=mexico",
        "/healthz",
        "/readyz",
    ],
)
def test_every_answer_conforms(path: str, proxy: str, server: str) -> None:
    """Prism answers 500 with a problem of its own for what does not; JSON it writes again."""
    passed, direct = (requests.get(f"{host}{path}") for host in (proxy, server))
    assert passed.status_code == 200, passed.text[:2000]
    if passed.headers["Content-Type"] == "application/json":
        assert passed.json() == direct.json()
    else:
        assert passed.content == direct.content


def test_a_wrong_request_is_refused(proxy: str) -> None:
    assert requests.get(f"{proxy}/v1/datasets/exports/records", params={"limit": "many"}).status_code == 422


def test_rows_pass_to_a_client_that_takes_any_encoding(proxy: str) -> None:
    """Node.js's fetch, with which Prism asks, sends * unless its client says more."""
    answer = requests.get(f"{proxy}/v1/datasets", headers={"Accept-Encoding": "*"})
    assert (answer.status_code, answer.json()["meta"]["version"]) == (200, truth.release().name)
