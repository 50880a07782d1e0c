"""What is asked: by kind, each question with what is known of its answer."""

import hashlib
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote

from bench.questions import AGGREGATE, FACETS, RECORDS
from bench.soak.truth import Truth
from bench.tables import CATEGORIES, COUNTRIES, STANDINGS, WORDS, YEARS

REFUSED = (400, 404, 405, 406, 409, 414, 416, 431)  # what a wrong question may be answered with


class Answer(NamedTuple):
    """A response; `headers` have names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Question:
    """An address, the statuses that it may be answered with, and what is said against a 200 ("": nothing)."""

    path: str
    allowed: tuple[int, ...] = (200,)
    fault: Callable[[Answer], str] = lambda _: ""
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"


class Dice:
    """Draws questions of each kind; `known` are the versions that were published so far."""

    def __init__(self, truth: Truth, known: list[str], removed: set[str]) -> None:
        self.truth, self.known, self.removed = truth, known, removed
        self.random = random.Random()

    def hot(self) -> Question:
        """One of a few addresses that everybody asks for."""
        page = Question(f"{RECORDS}?limit=100", fault=self._page({}))
        rest = ("/", "/v1/", "/v1/datasets", "/v1/releases", "/healthz", "/docs/", "/openapi.json", "/v1/releases.atom")
        return self.random.choice([page, page, page, *map(Question, rest)])

    def cold(self) -> Question:
        """A question that hardly anybody asked before."""
        country, category = self.random.choice(COUNTRIES), self.random.choice(CATEGORIES)
        year, limit = self.random.choice(YEARS), self.random.randint(20, 1000)
        words = quote(f"{self.random.choice(WORDS)} {self.random.choice(WORDS)}")
        sort = f"sort={self.random.choice(['', '-'])}{self.random.choice(['value', 'day', 'note', 'id'])}&limit={limit}"
        two, dated = {"country": country, "category": category}, {"country": country, "year": year}
        return self.random.choice(
            [
                Question(f"{RECORDS}?country={country}&category={category}&{sort}", fault=self._page(two)),
                Question(f"{RECORDS}?country={country}&year={year}&{sort}", fault=self._page(dated)),
                Question(f"{RECORDS}?value__gte={self.random.randrange(10**7)}&{sort}", fault=self._page(None)),
                Question(f"{RECORDS}?note__contains={words[:-2]}&{sort}", fault=self._page(None)),
                Question(f"{RECORDS}?q={words}&{sort}", fault=self._page(None)),
                Question(f"{AGGREGATE}?group_by=category&measure=count,sum:value&country={country}&year={year}&limit=1000",
                         fault=self._sums(dated)),
                Question(f"{FACETS}?facet=country,standing&value__lt={self.random.randrange(10**7)}"),
                Question(f"/v1/search?q={words}"),
            ]
        )  # fmt: skip

    def pinned(self) -> Question:
        """A page of a version, also of one that was withdrawn; one that was removed is gone."""
        version, standing = self.random.choice(self.known), self.random.choice(STANDINGS)
        path = f"{RECORDS}?version={version}&standing={standing}&limit={self.random.randint(20, 1000)}"
        return Question(path, self._allowed(version), self._page({"standing": standing}, version))

    def huge(self) -> Question:
        """A file: the whole table, or what has to be written for the question."""
        version, country = self.random.choice(self.known), self.random.choice(COUNTRIES)
        whole = f"/releases/{version}/data/figures.csv"
        return self.random.choice(
            [
                Question(whole, self._allowed(version), self._file(version)),
                Question(f"{RECORDS}.csv?version={version}", self._allowed(version), self._file(version)),
                Question(f"{RECORDS}.jsonl?country={country}", (200, 503), self._lines(country)),
                Question(f"{RECORDS}.xlsx?country={country}&year__gte={self.random.choice(YEARS)}", (200, 503)),
                Question(f"{RECORDS}.parquet?category={self.random.choice(CATEGORIES)}&sort=value", (200, 503)),
            ]
        )

    def hostile(self) -> Question:
        """What no honest client sends: refused in words, or answered, never an error of the server's."""
        junk = "".join(chr(self.random.randrange(1, 256)) for _ in range(self.random.randrange(1, 40)))
        bytes_ = "".join(f"%{self.random.randrange(256):02x}" for _ in range(self.random.randrange(1, 20)))
        paths = [
            f"/v1/datasets/{bytes_}/records",
            f"/releases/{bytes_}",
            f"{RECORDS}?{quote(junk)}={bytes_}",
            f"{RECORDS}?year={bytes_}",
            f"{RECORDS}?cursor={bytes_}",
            f"{RECORDS}?q={bytes_}&sort=relevance",
            f"{RECORDS}?q={'*+'.join('abcdefghij')}*",
            f"{RECORDS}?id__in={','.join(str(n) for n in range(self.random.randrange(900)))}",
            f"{AGGREGATE}?group_by={','.join(['note', 'day', 'id'])}&measure=median:value&value__gt={len(bytes_)}",
            f"/releases/{'../' * self.random.randrange(9)}etc/passwd",
            f"/tuf/{bytes_}.json",
            f"/v1/changes?since={bytes_}",
            "/" + "a" * self.random.randrange(9000),
        ]
        headers = [
            {},
            {"Accept": "application/json;q=" + "1" * self.random.randrange(4000)},
            {"Range": f"bytes={self.random.randrange(10**6)}-{self.random.randrange(10**7)},0-0"},
            {"If-None-Match": '"' + "x" * self.random.randrange(3000)},
            {"Accept-Encoding": "zstd;q=0.000,br;q=9,*"},
            {"X-Request-Id": "é" * 40},
        ]
        method = self.random.choice(["GET"] * 8 + ["POST", "PUT", "HEAD", "OPTIONS", "BREW"])
        allowed = (200, 206, 302, 308, 503, *REFUSED)
        return Question(self.random.choice(paths), allowed, headers=self.random.choice(headers), method=method)

    def _allowed(self, version: str) -> tuple[int, ...]:
        """A version that is being removed may be there, be gone, or be on its way."""
        return (200, 410, 503) if version in self.removed else (200,)

    def _page(self, filters: Mapping[str, Any] | None, pinned: str = "") -> Callable[[Answer], str]:
        def fault(answer: Answer) -> str:
            document = json.loads(answer.body)
            version = document["meta"]["version"]
            if answer.headers["x-data-version"] != version or (pinned and version != pinned):
                return "mixed"
            wrong = self.truth.fault(version, document["data"])
            if wrong or filters is None:
                return wrong
            return "" if document["meta"]["total"] == len(self.truth.matching(version, **filters)) else "wrong"

        return fault

    def _sums(self, filters: Mapping[str, Any]) -> Callable[[Answer], str]:
        def fault(answer: Answer) -> str:
            document = json.loads(answer.body)
            rows = self.truth.matching(document["meta"]["version"], **filters)
            for group in document["data"]:
                values = [row["value"] for row in rows if row["category"] == group["category"]]
                if group["count"] != len(values) or abs(group["sum:value"] - sum(values)) > 0.01:
                    return "wrong"
            return "" if sum(group["count"] for group in document["data"]) == len(rows) else "wrong"

        return fault

    def _lines(self, country: str) -> Callable[[Answer], str]:
        def fault(answer: Answer) -> str:
            version = answer.headers["x-data-version"]
            rows = [json.loads(line) for line in answer.body.splitlines()]
            wrong = self.truth.fault(version, rows)
            return wrong or ("" if len(rows) == len(self.truth.matching(version, country=country)) else "wrong")

        return fault

    def _file(self, version: str) -> Callable[[Answer], str]:
        return lambda answer: "" if hashlib.sha256(answer.body).hexdigest() == self.truth.digests[version] else "wrong"


KINDS = {"hot": Dice.hot, "cold": Dice.cold, "pinned": Dice.pinned, "huge": Dice.huge, "hostile": Dice.hostile}
