"""The least that Flask can do."""

from flask import Flask, Response

from bench.apps.bodies import BODIES, HEADERS

app = Flask("bare")


@app.get("/dressed")
def dressed() -> Response:
    """Send the page with Lantern's headers."""
    return Response(BODIES["/page"], headers=HEADERS)


@app.get("/<name>")
def send(name: str) -> Response:
    """Send a body."""
    return Response(BODIES["/" + name], mimetype="application/json")
