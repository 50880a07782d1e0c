"""The one base of the program's errors."""


class LanternError(Exception):
    """Something that a person can mend: its text says what is wrong. The command line prints it and exits with 1."""
