"""Checks of what a release takes from the descriptor: its version, which becomes an address, and its date."""

from collections.abc import Iterator

from api.model import dates, filenames
from api.model.descriptor import NO_VERSION, Package
from api.model.findings import Finding

A_TIME = "a time such as 2026-11-24T09:30:00Z"


def findings(package: Package, file: str) -> Iterator[Finding]:
    """What a release cannot take as it is from the descriptor in `file`, and what is taken instead."""
    version, created = package.descriptor.get("version"), package.descriptor.get("created")
    if version is None:
        message = f"the package has no version: {NO_VERSION} is taken"
        yield Finding("version", message, file, expected="a version such as 1.0.0", level="warning")
    elif reason := filenames.reason_of_version(package.version):
        message = f'the version "{package.version}" cannot name a release: it {reason}'
        yield Finding("version", message, file, value=package.version, expected="a version such as 1.0.0")
    if created is None or dates.is_time(created):
        return
    message = f'created is "{created}", which is not a time as RFC 3339 writes it: {package.created} is taken'
    yield Finding("created", message, file, value=str(created), expected=A_TIME, level="warning")
