"""The static site: a store, and every response of a server to a request without parameters, as plain files.

Importing this loads nothing; api.export.write makes the site.
"""

from api.model.errors import LanternError


class ExportError(LanternError):
    """The site cannot be made; the message says why. The one that was there stays as it was."""
