"""What proxies in front say of a request: the client, the host, the scheme, and the path before ours.

They say it in X-Forwarded-For, -Host, -Proto and -Prefix. A client may send these too; of a header with more values
the last are those of the proxies.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote

from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def behind(app: "WSGIApplication", count: int, base_url: str) -> "WSGIApplication":
    """The application behind so many proxies, which are believed (0: none is).

    Without a base URL (''), lantern.base in the environ is what links begin with: the address that the outermost proxy
    was asked at, without its host where that is none.
    """

    def app_at(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if not base_url:
            asked = Request(environ)
            whole = asked.host and asked.scheme in ("http", "https")
            host = f"{asked.scheme}://{asked.host}" if whole else ""
            environ["lantern.base"] = host + quote(asked.root_path, safe="/%")
        return app(environ, start_response)

    return ProxyFix(app_at, x_for=count, x_proto=count, x_host=count, x_prefix=count) if count else app
