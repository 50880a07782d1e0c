"""The options of `lantern serve`, for other applications and other worker classes."""

import os

from api import server, settings

globals().update(server.options(settings.load()))
bind = f"127.0.0.1:{os.environ['PORT']}"
