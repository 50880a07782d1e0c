"""Each answer of the server, seen from outside: after the cache, and after it was sent."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from gunicorn import glogging

from api.http.errors import MEDIA_TYPE
from api.monitoring import log
from api.release.media_types import MEDIA_TYPES

# Names of media types: few, whatever a package calls its files.
FORMATS = {media_type.partition(";")[0]: ending[1:] for ending, media_type in MEDIA_TYPES.items()}
FORMATS |= {MEDIA_TYPE: "problem", "application/atom+xml": "atom", "application/linkset+json": "json"}
FORMATS |= {"application/openapi+json": "json", "application/openapi+yaml": "yaml", "application/x-ndjson": "ndjson"}


class Answer(NamedTuple):
    """An answer. `began`: seconds since 1970; `seconds`, until the last byte was handed to the system; `sent`: bytes of
    the body. `route` is the rule that answered, "" for none; `format` a name of FORMATS, "" without a body, or "other";
    `cache` is hit, miss (of what is kept from now on) or "" (never kept). `release`: the version, where there is one.
    """

    environ: dict[str, Any]
    began: float
    seconds: float
    route: str
    status: int
    format: str
    sent: int
    cache: str
    release: str


class Logger(glogging.Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's, which writes into our log and gives each answer to those who `watch`."""

    watch: Sequence[Callable[[Answer], object]] = ()

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self.error_log.propagate = True
        self.error_log.setLevel(logging.INFO)

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        """What gunicorn calls when an answer is sent, or its client is gone."""
        if "SERVER_NAME" not in environ:
            return  # gunicorn refused it before any application saw it: see `refused`
        log.answered.set(environ)
        if self.watch:
            headers, seconds = dict(resp.headers), request_time.total_seconds()
            media_type = headers.get("Content-Type", "").partition(";")[0]
            self._tell(
                Answer(
                    environ,
                    time.time() - seconds,
                    seconds,
                    environ.get("lantern.route", ""),
                    resp.status_code,
                    FORMATS.get(media_type, "other") if media_type else "",
                    resp.sent + environ["gunicorn.socket"].filed,
                    environ.get("lantern.cache", ""),
                    headers.get("X-Data-Version") or environ.get("lantern.release", ""),
                )
            )

    def refused(self, req: Any, status: int, request_id: str, sent: int) -> None:
        """Tell of what gunicorn answered itself; `req` is no request where it could not be read."""
        target = {"REQUEST_METHOD": getattr(req, "method", None) or "", "RAW_URI": getattr(req, "uri", None) or ""}
        environ = {"lantern.request_id": request_id, **target}
        self._tell(Answer(environ, time.time(), 0.0, "", status, "problem", sent, "", ""))

    def _tell(self, answer: Answer) -> None:
        try:
            for watch in self.watch:
                watch(answer)
        except Exception:  # nobody's answer breaks because it cannot be told of
            log.log.exception("an answer could not be counted or logged")
