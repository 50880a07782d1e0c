"""The OpenAPI document and the page that shows it."""

from flask import Blueprint

blueprint = Blueprint("documentation", __name__)
