"""The command `lantern`."""

import os
from pathlib import Path
from typing import Any

import click

from api import settings
from api.cli import export, keys, mirror, new, package, preview, serve, status
from api.cli.options import echo
from api.model.errors import LanternError
from api.model.files import DESCRIPTOR


class Lantern(click.Group):
    """The group of all commands, which says what went wrong: status 2 for a setting, 1 for anything else."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except settings.SettingError as error:
            raise click.UsageError(str(error)) from error
        except LanternError as error:
            echo(str(error), err=True)
            context.exit(1)


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
