"""The WSGI application, for gunicorn and any other server."""

from api.app import create_app

app = create_app()
