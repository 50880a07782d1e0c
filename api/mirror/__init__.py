"""Copying another store, and saying whose copy this is.

Importing this loads nothing but the standard library: the server calls `status`. The copying is in api.mirror.copy.
"""

from api.mirror.state import MirrorStatus, status

__all__ = ["MirrorStatus", "status"]
