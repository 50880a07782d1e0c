"""The least that Flask can do."""

from flask import Flask, Response

from bench.apps.bodies import BODIES

app = Flask("bare")


@app.get("/<name>")
def send(name: str) -> Response:
    """Send a body."""
    return Response(BODIES["/" + name], mimetype="application/json")
