"""The least that a WSGI application can do."""

from bench.apps.bodies import BODIES

HEADERS = {path: [("Content-Type", "application/json"), ("Content-Length", str(len(b)))] for path, b in BODIES.items()}


def app(environ, start_response):
    """Send a body."""
    path = environ["PATH_INFO"]
    start_response("200 OK", HEADERS[path])
    return (BODIES[path],)
