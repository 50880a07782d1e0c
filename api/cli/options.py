"""What commands share: options that stand for settings, and how they speak to people."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from api.index import layout
from api.model import printing
from api.store.releases import Store

FOLDER = click.Path(path_type=Path, file_okay=False)
Config = dict[str, Any]


def _put(name: str, context: click.Context, _: click.Parameter, value: Any) -> None:
    """Put a value in the place of a setting."""
    if value is not None:
        context.obj[name] = value


_PATH: dict[str, Any] = {"type": click.Path(path_type=Path), "expose_value": False}
_PATH["callback"] = partial(_put, "PACKAGE")
_ARGUMENT = click.argument("package", metavar="[PACKAGE]", required=False, **_PATH)
_OPTION = click.option("--package", "package_option", hidden=True, **_PATH)  # as the argument was first called
_STORE: dict[str, Any] = {"type": FOLDER, "expose_value": False, "callback": partial(_put, "STORE")}
STORE = click.option("--store", help="The store (default: LANTERN_STORE).", **_STORE)


def PACKAGE(command: Callable[..., None]) -> Callable[..., None]:
    """The package: a folder, a descriptor or a zip (default: LANTERN_PACKAGE)."""
    return _ARGUMENT(_OPTION(command))


def echo(text: str, err: bool = False) -> None:
    """Print lines; whatever a package or another store put into them is harmless to a terminal, and JSON stays JSON."""
    click.echo(printing.printable(text, printing.AS_IT_IS), err=err)


def tell(message: str) -> None:
    """Say something beside the output."""
    echo(message, err=True)


def say(message: str) -> None:
    """Progress, where somebody watches."""
    if sys.stderr.isatty():
        tell(message)


def store(config: Config) -> Store:
    """The store that the settings name."""
    return Store(config["STORE"], layout.folder(config["STORE"], config["INDEX"]))
