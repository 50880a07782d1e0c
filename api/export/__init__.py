"""The static site: a store and everything that a server says of it without being asked more, as plain files.

Importing this loads nothing; api.export.write makes the site.
"""

from api.model.errors import LanternError


class ExportError(LanternError):
    """Why no site was made."""
