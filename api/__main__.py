"""The command `lantern` as a process."""

import os

from api.cli import main as command


def main() -> None:
    """Run it; no process that it starts imports what lies in the working directory."""
    os.environ["PYTHONSAFEPATH"] = "1"
    command(prog_name="lantern")


if __name__ == "__main__":
    main()
