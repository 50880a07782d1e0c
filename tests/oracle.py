"""The oracle: some 5,000 questions with the answers that the program gave, to compare another engine with.

    python tests/oracle.py record FILE [--bodies] [--package NAME]
    python tests/oracle.py compare FILE [--show N] [--package NAME] [--kind WORDS]

`record` asks the running code the questions of tests/oracle_questions.py about the packages of
tests/oracle_packages.py and writes FILE (gzip, a line of JSON each): package, kind, path, page, status, sha256 of the
body (its first 32 digits) and, with --bodies, the body. `compare` asks what FILE holds again and shows what differs; it
exits with 1 if anything does. tests/test_oracle.py does the same with tests/oracle.jsonl.gz, which is made, whenever
answers are meant to change, with

    python tests/oracle.py record tests/oracle.jsonl.gz

A body is what the client gets, byte for byte, but for what does not belong to the answer (`normalised`): the request_id
of problems, the values of cursors (the next page is asked for with the real one), and the downloads in descriptions of
datasets, whose sizes and hashes are those of the release's files. /v1/releases is not asked, for the same reason.
"""

import argparse
import difflib
import gzip
import hashlib
import itertools
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import oracle_packages
from flask.testing import FlaskClient

from api.app import create_app
from api.release.build import build
from api.store.releases import open_release

PACKAGES: Mapping[str, Callable[[Path], Path]] = {
    "own": oracle_packages.own,
    "awkward": oracle_packages.awkward,
    "large": oracle_packages.large,
}
DIGITS = 32
CURSOR = re.compile(r"([?&]cursor=)[A-Za-z0-9_%-]+")
REQUEST_ID = re.compile(r', "request_id": "[^"]*"')
DATASET = re.compile(r"/v1/datasets/[^/?]+(\?.*)?")
NEXT = re.compile(r'<([^>]*)>; rel="next"')
NO_PAGE = 0  # the status of a page to which no link led


class Answer(NamedTuple):
    """A question (page 2 and on: the page that links lead to from `path`) and the answer."""

    package: str
    kind: str
    path: str
    page: int
    status: int
    sha256: str
    body: str = ""


def served(name: str, folder: Path) -> tuple[FlaskClient, Path]:
    """A client of the app over a store with a package, and that store."""
    build(PACKAGES[name](folder / "package"), folder / "store")
    app = create_app(STORE=folder / "store", BASE_URL="", CACHE_MB=0, TIME_LIMIT=0)
    return app.test_client(), folder / "store"


def asked(client: FlaskClient, path: str) -> tuple[int, str, str]:
    """The status and body of an answer, and the address of the next page ("" for none)."""
    with client.get(path) as response:
        body = normalised(path, response.status_code, response.get_data().decode())
        found = NEXT.search(response.headers.get("Link", ""))
        return response.status_code, body, found[1] if found else ""


def normalised(path: str, status: int, body: str) -> str:
    """A body without what does not belong to the answer."""
    body = CURSOR.sub(r"\1CURSOR", body)
    if status >= 400:
        return REQUEST_ID.sub("", body)
    if DATASET.fullmatch(path):
        described = json.loads(body)
        del described["data"]["downloads"]
        return json.dumps(described, ensure_ascii=False)
    return body


def answers(client: FlaskClient, package: str, kind: str, path: str, pages: int) -> Iterator[Answer]:
    """The answer to a question, and those of the pages after it, as many as there are or `pages`."""
    link = path
    for page in range(1, pages + 1):
        status, body, following = asked(client, link)
        yield Answer(package, kind, path, page, status, digest(body), body)
        if not following:
            return
        link = following


def digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:DIGITS]


# Recording


def record(name: str, folder: Path) -> Iterator[Answer]:
    """All answers about a package, which is built in an empty folder."""
    import oracle_questions as questions

    client, store = served(name, folder)
    releases = [open_release(path, store) for path in sorted((store / "releases").iterdir())]
    *earlier, latest = [release for release in releases if (release.folder / "datapackage.json").is_file()]
    every = questions.of_release(latest, name, [release.version for release in earlier])
    every += [question for release in earlier for question in questions.of_version(release, name)]
    for kind, path, pages in {question.path: question for question in every}.values():
        yield from answers(client, name, kind, path, pages)


def written(answer: Answer, bodies: bool) -> str:
    entry = answer._asdict()
    if not bodies:
        del entry["body"]
    return json.dumps(entry, ensure_ascii=False) + "\n"


def save(file: Path, found: Iterable[Answer], bodies: bool) -> Counter[tuple[str, str]]:
    """Write answers; how many there are, by package and kind."""
    counts: Counter[tuple[str, str]] = Counter()
    with file.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        for answer in found:
            packed.write(written(answer, bodies).encode())
            counts[answer.package, answer.kind] += 1
    return counts


def load(file: Path, package: str) -> list[Answer]:
    """The recorded answers about a package."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        every = [Answer(**json.loads(line)) for line in lines]
    return [answer for answer in every if answer.package == package]


# Comparing


def compared(recorded: Sequence[Answer], folder: Path) -> Iterator[tuple[Answer, Answer]]:
    """The recorded answers about one package that the running code does not give, each with the one that it gives."""
    client, _ = served(recorded[0].package, folder)
    for (kind, path), group in itertools.groupby(recorded, key=lambda answer: (answer.kind, answer.path)):
        old = list(group)
        new = list(answers(client, old[0].package, kind, path, len(old)))
        absent = [one._replace(status=NO_PAGE, sha256="", body="") for one in old[len(new) :]]
        for before, after in zip(old, [*new, *absent], strict=True):
            if (before.status, before.sha256) != (after.status, after.sha256):
                yield before, after


def told(before: Answer) -> str:
    """A question in one line."""
    return f"{before.package}: {before.kind}: {before.path}" + (f" (page {before.page})" if before.page > 1 else "")


def shown(before: Answer, after: Answer, most: int = 60) -> str:
    """A question whose answer differs, and in which lines it does, as far as bodies were recorded."""
    head = f"{told(before)}\n  status {before.status}, now {after.status or 'no such page'}"
    if not before.body:
        return f"{head}\n{after.body[:500]}"
    if pretty(before.body) == pretty(after.body):
        head += "; the same JSON, written otherwise"
    changed = difflib.unified_diff(
        *(text.splitlines() for text in differing(before.body, after.body)), "old", "new", "", "", 2
    )
    return "\n".join([head, *itertools.islice(changed, most)])


def differing(old: str, new: str) -> tuple[str, str]:
    """Two bodies in lines that can be compared: JSON set out, if that differs."""
    return (old, new) if pretty(old) == pretty(new) else (pretty(old), pretty(new))


def pretty(body: str) -> str:
    """JSON set out in lines, its numbers with all digits; any other text as it is."""
    try:
        value: Any = json.loads(
            body, parse_float=lambda text: f"number {text}", parse_int=lambda text: f"number {text}"
        )
    except ValueError:
        return body
    return json.dumps(value, ensure_ascii=False, indent=1)


def report(names: Sequence[str], file: Path, show: int, kind: str) -> bool:
    """Compare, say what differs, and whether anything does."""
    different = False
    for name in names:
        recorded = [answer for answer in load(file, name) if kind in answer.kind]
        with tempfile.TemporaryDirectory(prefix="oracle-") as folder:
            found = list(compared(recorded, Path(folder))) if recorded else []
        for before, after in sorted(found, key=lambda pair: pair[0].kind)[:show]:
            print(shown(before, after), end="\n\n")
        print(f"{name}: {len(found)} of {len(recorded)} answers differ")
        for one, count in Counter(before.kind for before, _ in found).most_common():
            print(f"  {count:5} of {sum(answer.kind == one for answer in recorded):5}  {one}")
        different = different or bool(found)
    return different


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("command", choices=["record", "compare"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--bodies", action="store_true", help="record the bodies too")
    parser.add_argument("--show", type=int, default=5, help="differences to show of each package (default 5)")
    parser.add_argument("--package", choices=[*PACKAGES], help="only this package")
    parser.add_argument("--kind", default="", help="compare only questions whose kind holds these words")
    given = parser.parse_args()
    names = [given.package] if given.package else [*PACKAGES]
    if given.command == "compare":
        return int(report(names, given.file, given.show, given.kind))
    with tempfile.TemporaryDirectory(prefix="oracle-") as folder:
        found = (answer for name in names for answer in record(name, Path(folder) / name))
        counts = save(given.file, found, given.bodies)
    for (name, kind), count in counts.items():
        print(f"{count:5}  {name}: {kind}")
    print(f"{sum(counts.values()):5}  in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
