"""How to cite a package: CITATION.cff, BibTeX, plain text."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import yaml

from api.model.descriptor import Package

JSON = Any
MESSAGE = "If you use these data, please cite them as below."
AUTHORS = ("author", "creator")
# The licences that CITATION.cff may name by their SPDX short names and that data are published under.
SPDX = (
    *("CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0"),
    *("CC-BY-ND-4.0", "CC-BY-NC-ND-4.0", "ODC-By-1.0", "ODbL-1.0", "PDDL-1.0", "OGL-UK-3.0", "MIT", "Apache-2.0"),
    *("BSD-2-Clause", "BSD-3-Clause", "GPL-3.0-only", "GPL-3.0-or-later", "EUPL-1.2", "etalab-2.0", "DL-DE-BY-2.0"),
)
TEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


def base_url(package: Package) -> str:
    """Where the package is served, as it says itself (`lantern:baseUrl`), without a slash at the end; else empty."""
    return web(package.descriptor.get("lantern:baseUrl")).rstrip("/")


def address(package: Package) -> str:
    """The address of the release's folder, with a slash at the end; empty where the package names none."""
    return f"{base_url(package)}/releases/{quote(package.version)}/" if base_url(package) else ""


def homepage(package: Package) -> str:
    return web(package.descriptor.get("homepage"))


def web(url: JSON) -> str:
    """A web address of the descriptor; empty for anything else."""
    return str(url) if str(url or "").startswith(("http://", "https://")) else ""


def cff(package: Package) -> str:
    """CITATION.cff, version 1.2.0 of the format."""
    entries: dict[str, JSON] = {
        "cff-version": "1.2.0",
        "message": MESSAGE,
        "type": "dataset",
        "title": package.title,
        "version": package.version,
        "date-released": package.created[:10],
        "authors": [_author(entry) for entry in authors(package)],
        "abstract": " ".join(package.description.split()),
        "keywords": sorted({str(word) for word in package.descriptor.get("keywords") or []}),
        "url": homepage(package) or address(package),
        "doi": doi(package),
    }
    if package.license in SPDX:
        entries["license"] = package.license
    else:
        entries["license-url"] = web(package.license_path)
    present = {key: value for key, value in entries.items() if value not in ("", [])}
    return yaml.safe_dump(present, sort_keys=False, allow_unicode=True, width=100)


def authors(package: Package) -> list[Mapping[str, JSON]]:
    """The contributors named as authors, else all of them, else the package itself."""
    everyone = [entry for entry in package.descriptor.get("contributors") or [] if name_of(entry)]
    named = [e for e in everyone if set(AUTHORS) & set(e.get("roles") or [e.get("role")])]
    return named or everyone or [{"title": package.name}]


def name_of(entry: Mapping[str, JSON]) -> str:
    """A contributor's name."""
    whole = " ".join(str(entry[key]) for key in ("givenName", "familyName") if entry.get(key))
    return str(entry.get("title") or whole or entry.get("organization") or "")


def is_person(entry: Mapping[str, JSON]) -> bool:
    return bool(entry.get("familyName") or entry.get("givenName"))


def _author(entry: Mapping[str, JSON]) -> dict[str, str]:
    website = {"website": web(entry.get("path"))} if web(entry.get("path")) else {}
    if not is_person(entry):
        return {"name": name_of(entry), **website}
    keys = {"givenName": "given-names", "familyName": "family-names", "organization": "affiliation"}
    return {key: str(entry[name]) for name, key in keys.items() if entry.get(name)} | website


def doi(package: Package) -> str:
    """The package's id, where it is a DOI."""
    match = re.search(r"10\.\d{4,9}(\.\d+)?/\S+$", str(package.descriptor.get("id") or ""))
    return match[0] if match else ""


def text(package: Package) -> str:
    """One line to copy."""
    url = f"https://doi.org/{doi(package)}" if doi(package) else homepage(package) or address(package)
    return f"{package.citation} {url}".strip() + "\n"


def bibtex(package: Package) -> str:
    """A BibTeX entry that every style can print."""
    key = re.sub(r"[^A-Za-z0-9]+", "_", f"{package.name}_{package.version}").strip("_") or "data_package"
    values = {
        "author": " and ".join(f"{{{_tex(name_of(entry))}}}" for entry in authors(package)),
        "title": f"{{{_tex(package.title)}}}",
        "year": package.created[:4],
        "version": _tex(package.version),
        "note": _tex(f"Data set, version {package.version}"),
        "doi": doi(package),
        "url": homepage(package) or address(package),
    }
    lines = [f"  {name} = {{{value}}}" for name, value in values.items() if value]
    return f"@misc{{{key},\n" + ",\n".join(lines) + "\n}\n"


def _tex(words: str) -> str:
    line = " ".join(words.split())
    return "".join(TEX.get(c, "\\" + c if c in "&%$#_{}" else c) for c in line)
