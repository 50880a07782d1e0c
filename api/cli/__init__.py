"""The command `lantern`."""

import errno
import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import click

from api import settings
from api.cli import export, keys, mirror, new, package, preview, serve, status
from api.cli.options import echo
from api.cli.scratch import scratch
from api.model.errors import LanternError
from api.model.files import DESCRIPTOR

OF_THE_DISK = ("FULL", "IOERR", "CANTOPEN", "READONLY")  # how the names of SQLite's errors begin, after SQLITE_


class Lantern(click.Group):
    """The group of all commands, which says what went wrong: status 2 for a setting, 1 for anything else."""

    def invoke(self, context: click.Context) -> Any:
        try:
            with scratch():
                return super().invoke(context)
        except settings.SettingError as error:
            raise click.UsageError(str(error)) from error
        except LanternError as error:
            echo(str(error), err=True)
            context.exit(1)
        except OSError as error:  # a full disk, a folder without rights, a file in a folder's place
            if error.errno == errno.EPIPE:
                raise  # click ends quietly where nobody reads on
            place = error.filename or f"in {context.obj['STORE']} or {tempfile.gettempdir()}"
            echo(f"{place}: {error.strerror or error}", err=True)
            context.exit(1)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname.partition("_")[2].startswith(OF_THE_DISK):
                echo(f"in {context.obj['STORE']} or {tempfile.gettempdir()}: {error}", err=True)
                context.exit(1)
            raise


@click.group(cls=Lantern, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lantern", message="%(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Publish a data package: validate, release, serve and mirror it.

    Exit status: 0 done, 1 the data or a verification is wrong, 2 wrong usage.
    """
    context.obj = settings.load()
    own = context.obj["PACKAGE"]
    if "LANTERN_PACKAGE" not in os.environ and not own.exists() and Path(DESCRIPTOR).is_file():
        context.obj["PACKAGE"] = Path()


for module in (new, package, preview, serve, status, export, mirror, keys):
    for command in module.COMMANDS:
        main.add_command(command)
