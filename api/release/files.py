"""Every file of a release that is made from its rows and its descriptor: typed formats, descriptions, charts.

Imports of heavy libraries stay inside: nothing here is needed to serve a release.
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from api.index.survey import surveys
from api.model import descriptor, files
from api.model.files import ARCHIVE, CHANGES, CITATION, DATABASE, DESCRIPTOR, TEXTS, WORKBOOK
from api.package import brought
from api.release import charts
from api.release.descriptions import citation, codebook, croissant, dcat, schema_org, templates, validation
from api.release.descriptions.subject import Subject
from api.release.formats import FORMATS, archive
from api.store import manifest

JSON = Any
Say = Callable[[str], None]
# What catalogues and search engines read, all three JSON-LD.
CATALOGUES = dict(zip(files.CATALOGUES, (croissant, dcat, schema_org), strict=True))


def write(
    described: Mapping[str, JSON],
    folder: Path,
    report: Mapping[str, JSON],
    texts: Collection[str],
    say: Say = lambda _: None,
) -> list[dict[str, str]]:
    """Write into a release folder, which holds all that the package brings, every other file that people download.

    `described` is the release's datapackage.json, `report` the result of validation, `texts` names the texts that the
    package brings; the others are written. Returns which table is not in which file, and why. Nothing is taken from the
    clock, the machine or the folder's place.
    """
    from api.release.formats import database, workbook

    package = descriptor.package(described)
    tables = surveys(package, folder)
    for survey in tables:
        say(f"writing the typed files of {survey.table.name}")
        for one in FORMATS.values():
            if one.path and one.write is not None:
                target = folder / one.file(survey.table)
                target.parent.mkdir(exist_ok=True)
                one.write(package, survey, target)
    say("writing package.sqlite and package.xlsx")
    left_out = []
    for path, kind in ((DATABASE, database), (WORKBOOK, workbook)):
        kind.write(package, tables, folder / path)
        whys = ((survey.table.name, kind.too_large(survey)) for survey in tables)
        left_out += [{"file": path, "dataset": name, "reason": why} for name, why in whys if why]
    say("drawing the charts")
    charts.write(package, tables, folder)
    say("writing package.zip")
    own = {name: templates.render(f"texts/{name}", package=package) for name in TEXTS if name != CITATION}
    own[CITATION] = citation.cff(package)
    _save(folder, {name: text for name, text in own.items() if name not in texts})
    # The zip holds all that a build takes from a package's folder, so that it can be built again; it carries no
    # history (see history.py), but what changed since.
    packed = [DESCRIPTOR, *TEXTS, *texts, *([CHANGES] if described.get("lantern:previous") else [])]
    packed += [*(table.path for table in package.tables), *brought(described, folder)]
    archive.write(folder, packed, folder / ARCHIVE, package.created)
    say("writing the descriptions")
    cited = dict(zip(files.CITATIONS, (citation.text(package), citation.bibtex(package)), strict=True))
    _save(folder, cited | codebook.write(package, tables) | validation.write(package, report))
    subject = Subject(package, tables, folder)
    _save(folder, {name: manifest.dump(kind.document(subject)) for name, kind in CATALOGUES.items()})
    return left_out


def _save(folder: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
