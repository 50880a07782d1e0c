"""What a server tells Prometheus: right across its processes, whatever ends them, and never on the public port."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from monitoring import Labels, Seen, labels, samples, server, until
from packages import table, write

from api.mirror import MirrorStatus
from api.mirror import write as write_mirror
from api.release.build import build
from api.trust import sign_store

ROOT = Path(__file__).resolve().parents[1]
ROWS = "/v1/datasets/things/records"
RULE = "/v1/datasets/<name>/records"
REQUESTS = "lantern_http_requests_total"
SERVE = (sys.executable, "-P", "-m", "api", "serve")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed store, of which one release cannot be read."""
    folder = tmp_path_factory.mktemp("shelf")
    cells = [[f"t{n:05}", f"k{n % 7}", f"p{n % 5}", n * 13 % 6007] for n in range(6_000)]
    things = table("things", ["id", "kind", "place", "value:integer"], cells)
    build(write(folder / "package", things, created="2026-01-01T00:00:00Z"), folder / "store")
    sign_store(folder / "store", lambda _: None)
    broken = folder / "store" / "releases" / "0.9.0"
    broken.mkdir()
    (broken / "manifest.json").write_text("{}")
    return folder / "store"


def measured(folder: Path, store: Path, **environ: str):  # type: ignore[no-untyped-def]  # a context manager of Seen
    return server(folder, store, LANTERN_METRICS=f"unix:{folder}/metrics", **environ)


@pytest.fixture(scope="module")
def seen(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    with measured(tmp_path_factory.mktemp("metrics"), store) as started:
        yield started


def counted(seen: Seen, name: str = REQUESTS, **named: str) -> float:
    """The sum of the samples that have these labels."""
    wanted = labels(**named)
    return sum(value for have, value in seen.metrics().get(name, {}).items() if wanted <= have)


def test_requests_are_counted_across_processes_by_what_they_were(store: Path, tmp_path: Path) -> None:
    asked = [("GET", f"{ROWS}?limit={n}", RULE, 200, "json") for n in range(1, 9)] * 4
    asked += [
        ("HEAD", f"{ROWS}.csv", f"{RULE}.<extension>", 200, "csv"),
        ("GET", "/nothing", "none", 404, "problem"),
    ] * 3
    asked += [("POST", ROWS, "none", 405, "problem"), ("BREW", "/", "none", 405, "problem")]
    with measured(tmp_path, store) as seen:
        bodies = sum(len(seen.get(path, method)[2]) for method, path, *_ in asked)
        until(lambda: counted(seen) == len(asked))
        found = seen.metrics()
        expected: dict[Labels, float] = {}
        for method, _, route, status, format in asked:
            method = "other" if method == "BREW" else method
            key = labels(method=method, route=route, status=str(status), format=format)
            expected[key] = expected.get(key, 0) + 1
        assert found[REQUESTS] == expected
        assert sum(found["lantern_http_response_body_bytes_total"].values()) == bodies > 0
        duration = "lantern_http_request_duration_seconds"
        assert (
            found[f"{duration}_count"][labels(route=RULE)]
            == found[f"{duration}_bucket"][labels(route=RULE, le="+Inf")]
            == 32
        )
        assert 0 < found[f"{duration}_sum"][labels(route=RULE)] < 600
        cache = found["lantern_cache_requests_total"]
        assert cache[labels(result="hit")] + cache[labels(result="miss")] == 32
        assert 8 <= cache[labels(result="miss")] <= 16  # each process keeps its own
        assert len(list((tmp_path / "tmp").glob("lantern-metrics-*/*_*.db"))) in (2, 4)  # of one process or of both


def test_both_engines_and_what_is_refused_are_counted(seen: Seen) -> None:
    seconds = "lantern_engine_query_duration_seconds_count"
    for engine, query in (("sqlite", "kind=k1&limit=3"), ("duckdb", "value__gt=4&sort=place,value&limit=9")):
        before = counted(seen, seconds, engine=engine)
        assert seen.get(f"{ROWS}?{query}")[0] == 200
        assert counted(seen, seconds, engine=engine) > before
    for path, status, kind in (
        (f"{ROWS}?nothing=1", 400, "unknown-parameter"),
        (f"{ROWS}?version=0.9.0", 503, "not-ready"),
    ):
        before = counted(seen, "lantern_problems_total", type=kind)
        assert seen.get(path)[0] == status
        until(lambda kind=kind, before=before: counted(seen, "lantern_problems_total", type=kind) == before + 1)


def test_paths_that_nobody_knows_are_one_series(seen: Seen) -> None:
    def asked(number: int) -> None:
        methods = ("GET", "HEAD", "POST", "BREW", f"BREW{number}")
        paths = (
            f"/nothing/{number}",
            f"{ROWS}/{number}",
            f"/releases/9.{number}.0/x",
            f"{ROWS}.{number}",
            f"/{number}?a={number}",
        )
        for method, path in zip(methods, paths, strict=True):
            seen.get(path, method, Accept=f"text/x{number}")

    def series() -> int:
        return sum(map(len, seen.metrics().values()))

    asked(0), asked(1)
    until(lambda: counted(seen, method="other") >= 4)
    before, first = series(), counted(seen)
    for number in range(2, 42):
        asked(number)
    until(lambda: counted(seen) == first + 200)
    assert series() <= before + 40  # what the second process had not been asked yet
    assert not re.search(r'"[^"]*\b(?:9\.[0-9]+\.0|x[0-9]+|nothing)\b', seen.scraped())


def test_metrics_are_not_on_the_public_port_nor_anything_else_on_theirs(seen: Seen) -> None:
    status, headers, _ = seen.get("/metrics")
    assert (status, headers["Content-Type"]) == (404, "application/problem+json")
    assert seen.scraped("/v1/") == seen.scraped("/") == "Metrics are at /metrics.\n"


def test_what_is_counted_outlives_the_process_that_counted_it(store: Path, tmp_path: Path) -> None:
    def asked(count: int) -> None:
        before = counted(seen, route="/healthz")
        for _ in range(count):
            seen.get("/healthz")
        until(lambda: counted(seen, route="/healthz") >= before + count)  # one asked before may be counted late

    with measured(tmp_path, store) as seen:
        asked(10)
        for _ in range(2):
            before = seen.workers()
            os.kill(min(before), signal.SIGKILL)
            until(lambda before=before: len(seen.workers() - before) == 1 and len(seen.workers()) == 2)
            until(lambda: seen.get("/healthz")[0] == 200)
            asked(10)
        total, before = counted(seen, route="/healthz"), seen.workers()
        os.kill(seen.pid, signal.SIGHUP)
        until(lambda: len(seen.workers()) == 2 and not seen.workers() & before)
        assert counted(seen, route="/healthz") == total >= 32
        asked(10)
        numbers = {path.name for path in (tmp_path / "tmp").glob("lantern-metrics-*/counter_*.db")}
        assert len(numbers) <= 4  # as many as there were processes at once, not as there ever were


def test_a_new_master_goes_on_counting_and_the_last_one_leaves_nothing(store: Path, tmp_path: Path) -> None:
    with measured(tmp_path, store, LANTERN_WORKERS="1") as seen:
        seen.get("/healthz")
        until(lambda: counted(seen, route="/healthz") == 1)
        [old] = seen.workers()
        os.kill(seen.pid, signal.SIGUSR2)
        until(lambda: len(seen.workers()) == 2)
        [new] = seen.workers() - {old}
        until(lambda: Path(f"/proc/{new}/task/{new}/children").read_text())
        until(lambda: (tmp_path / "log").read_text().count("Booting worker") == 2)
        os.kill(seen.pid, signal.SIGTERM)
        until(lambda: "Shutting down: Master" in (tmp_path / "log").read_text())
        until(lambda: seen.get("/healthz")[0] == 200)
        until(lambda: counted(seen, route="/healthz") == 2)
        until(lambda: "Master has been promoted" in (tmp_path / "log").read_text())
        os.kill(new, signal.SIGTERM)
        until(lambda: not list((tmp_path / "tmp").glob("*lantern-metrics-*")) and not (tmp_path / "metrics").exists())


def test_what_a_killed_server_left_goes_at_the_next_start_and_what_lives_stays(store: Path, tmp_path: Path) -> None:
    folders = []
    with measured(tmp_path, store, LANTERN_WORKERS="1") as first:
        folders += list((tmp_path / "tmp").glob("lantern-metrics-*"))
        other = tmp_path / "other"
        environ = {"TMPDIR": str(tmp_path / "tmp"), "LANTERN_WORKERS": "1"}
        with measured(other, store, **environ) as second:
            folders += sorted(set((tmp_path / "tmp").glob("lantern-metrics-*")) - {*folders})
            assert len(folders) == 2
            assert counted(first, "lantern_releases") == counted(second, "lantern_releases") == 2
        until(lambda: not os.path.exists(f"/proc/{second.pid}"))
        with measured(other, store, **environ):  # where the killed one left its socket
            left = {*(tmp_path / "tmp").glob("lantern-metrics-*")}
            assert folders[0] in left and folders[1] not in left and len(left) == 2


def test_a_scraper_that_sends_nothing_keeps_nobody_from_asking(seen: Seen) -> None:
    with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as second:
        for idle in (first, second):
            idle.connect(str(seen.folder / "metrics"))
        assert counted(seen, "lantern_build_info") == 1


def test_the_state_of_the_store_is_told(store: Path, seen: Seen, tmp_path: Path) -> None:
    found = seen.metrics()
    assert found["lantern_releases"] == {
        labels(state="served"): 1,
        labels(state="withdrawn"): 0,
        labels(state="not_served"): 1,
    }
    assert found["lantern_release_info"] == {labels(version="1.0.0"): 1}
    days = {"root": 730, "targets": 365, "snapshot": 60, "timestamp": 14}
    until_then = found["lantern_signature_expiry_timestamp_seconds"]
    signed = json.loads((store / "tuf" / "timestamp.json").read_bytes())["signed"]
    assert {dict(role)["role"] for role in until_then} == {*days}
    begun = until_then[labels(role="timestamp")] - 14 * 86_400
    assert {dict(role)["role"]: round((then - begun) / 86_400) for role, then in until_then.items()} == days
    assert signed["_type"] == "timestamp"
    assert "lantern_mirror_sync_timestamp_seconds" not in found
    copy = tmp_path / "copy"
    shutil.copytree(store, copy)
    write_mirror(
        copy,
        MirrorStatus("https://h", "2026-01-02T00:00:00Z", "1.0.0", "2026-01-09T00:00:00Z", "", "all", "https://h"),
    )
    with measured(tmp_path, copy, LANTERN_WORKERS="1") as mirror:
        found = mirror.metrics()
        assert found["lantern_mirror_sync_timestamp_seconds"] == {labels(): 1767312000}
        assert found["lantern_mirror_stale_timestamp_seconds"] == {labels(): 1767916800}


def test_a_port_serves_metrics_too_and_a_busy_one_is_refused(store: Path, tmp_path: Path) -> None:
    environ = {"LANTERN_METRICS": "127.0.0.1:0", "LANTERN_WORKERS": "1"}
    with server(tmp_path, store, **environ) as seen:
        log = "\n".join(seen.lines("log", 1))
        found = re.search(r"Metrics at /metrics of (http://127\.0\.0\.1:\d+)", log)
        assert found
        with urllib.request.urlopen(f"{found[1]}/metrics", timeout=20) as answer:
            assert samples(answer.read().decode())["lantern_build_info"]
        port = found[1].rpartition(":")[2]
        done = refused(store, f"127.0.0.1:{port}")
        assert "cannot listen on LANTERN_METRICS: Address already in use" in done


@pytest.mark.parametrize("value", ["9100", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:http", ":9100", "unix:"])
def test_what_is_no_address_is_wrong_usage(value: str, store: Path) -> None:
    assert f"LANTERN_METRICS='{value}': must be a host and a port" in refused(store, value)


def test_a_file_at_the_path_of_the_socket_stays_and_is_refused(store: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    for path in (tmp_path / "mine", tmp_path / "nowhere" / "socket"):
        assert "cannot listen on LANTERN_METRICS: " in refused(store, f"unix:{path}")
    assert (tmp_path / "mine").read_text() == "mine"


def refused(store: Path, value: str) -> str:
    """What a `lantern serve` with this LANTERN_METRICS says before it ends with status 2."""
    environ = {**os.environ, "LANTERN_STORE": str(store), "PORT": "0", "LANTERN_METRICS": value}
    done = subprocess.run(SERVE, env=environ, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (2, "", False), done.stderr
    return done.stderr


def test_a_process_that_finds_no_room_serves_and_says_that_it_counts_nothing(store: Path, tmp_path: Path) -> None:
    command = ["bash", "-c", 'ulimit -f 512; exec "$@"', "bash", *SERVE]  # KiB: less than a file to count in
    environ = {"LANTERN_METRICS": f"unix:{tmp_path}/metrics", "LANTERN_WORKERS": "1"}
    with server(tmp_path, store, command, **environ) as seen:
        assert seen.get(ROWS)[0] == 200
        assert "ERROR" in "".join(seen.lines("log", 5)) and "counts nothing for LANTERN_METRICS" in "".join(
            seen.lines("log")
        )
        assert "lantern_build_info" in seen.metrics()


# Names: those that are served, those of the documentation, those of the sample


def served_names(seen: Seen) -> set[str]:
    return set(re.findall(r"^# TYPE (\S+)", seen.scraped(), re.M))


@pytest.fixture
def asked(seen: Seen) -> Seen:
    """A server that was asked everything of which there is a count."""
    for path in (ROWS, ROWS, f"{ROWS}?value__gt=3&sort=place,value&limit=7", "/nothing"):
        seen.get(path)
    until(lambda: counted(seen, "lantern_problems_total"))
    return seen


def test_the_documentation_names_what_is_served(asked: Seen) -> None:
    page = (ROOT / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")
    table = page.partition("| metric | labels | counts |\n")[2].partition("\n\n")[0]
    named = {
        name: set(re.findall("`([^`]+)`", words))
        for name, words in re.findall(r"^\| `([^`]+)` \| (.*?) \|", table, re.M)
    }
    of_mirrors = {"lantern_mirror_sync_timestamp_seconds", "lantern_mirror_stale_timestamp_seconds"}
    assert set(named) == served_names(asked) | of_mirrors
    for name, found in asked.metrics().items():
        base = re.sub("_(?:bucket|sum|count)$", "", name)
        assert {label for have in found for label, _ in have} - {"le"} == named[base], name


def test_names_and_help_follow_the_conventions(asked: Seen) -> None:
    text = asked.scraped()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)", text, re.M):
        assert re.fullmatch("lantern_[a-z_]+", name)
        assert name.endswith("_total") is (kind == "counter")
    assert len(re.findall("^# HELP \\S+ \\S+", text, re.M)) == text.count("# TYPE")
    done = promtool(["check", "metrics"], text)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_sample_of_alerts_asks_for_what_is_served(asked: Seen) -> None:
    path = ROOT / "deploy" / "prometheus-alerts.yml"
    rules = [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]
    assert len(rules) > 5 and all({"alert", "expr", "labels", "annotations"} <= set(rule) for rule in rules)
    names = {name for rule in rules for name in re.findall(r"\blantern_\w+", rule["expr"])}
    of_mirrors = {"lantern_mirror_stale_timestamp_seconds"}
    assert names and names - of_mirrors <= set(asked.metrics())
    done = promtool(["check", "rules", str(path)])
    assert (done.returncode, f"SUCCESS: {len(rules)} rules found" in done.stdout) == (0, True), done.stderr


def test_the_documented_scrape_job_is_valid_and_the_one_of_the_alerts(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")
    [block] = re.findall(r"^    scrape_configs:\n(?:    .*\n)+", page, re.M)
    config = yaml.safe_load(re.sub("^    ", "", block, flags=re.M))
    [job] = config["scrape_configs"]
    alerts = ROOT / "deploy" / "prometheus-alerts.yml"
    assert f'job="{job["job_name"]}"' in alerts.read_text()
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump({**config, "rule_files": [str(alerts)]}))
    done = promtool(["check", "config", str(tmp_path / "prometheus.yml")])
    assert done.returncode == 0, done.stderr


def promtool(arguments: list[str], text: str = "") -> "subprocess.CompletedProcess[str]":
    if shutil.which("promtool") is None and "CI" not in os.environ:
        pytest.skip("no promtool here: on Debian, apt-get install prometheus")
    return subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True, timeout=60)
