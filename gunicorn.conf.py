"""How the API is served: settings from the environment, the rest by measurement (bench/RESULTS.md)."""

import os

from api import settings

_values = settings.load()
bind = f"{_values['HOST']}:{os.environ.get('PORT', '8000')}"
workers = _values["WORKERS"]
worker_class = "gthread"
threads = _values["THREADS"]
preload_app = True
reuse_port = True
keepalive = 75
limit_request_line = 8190
