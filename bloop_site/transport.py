"""What WSGI leaves unsettled, settled before Django: doubled and trailing slashes, NUL, bodies without a length."""

import io
import json
from collections.abc import Callable, Iterable
from typing import Any

from bloop_site.lib.bodies import body_limit

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


class Transport:
    """WSGI middleware.

    - `//v1/x` and `/v1/x/` mean `/v1/x` (contract 0.1); never a redirect.
    - A NUL in path or query is 400: PostgreSQL cannot hold one, so nothing can match it.
    - A chunked body reaches Django under WSGI as an empty one (design.md 1): it is read here, up to what its path
      takes (`bloop_site.lib.bodies`), and given a length. Of a larger one a byte more is read, so that its length is
      over the limit: who refuses it by that has the right words, and books.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith("//") or (path.endswith("/") and path.startswith(("/v1/", "/health", "/auth/", "//"))):
            environ["PATH_INFO"] = "/" + path.lstrip("/").removesuffix("/")
        if "\x00" in path or "%00" in environ.get("QUERY_STRING", ""):
            return refuse(start_response, "400 Bad Request", "NUL is not allowed in a URL")
        if environ.get("HTTP_TRANSFER_ENCODING") and not environ.get("CONTENT_LENGTH"):
            body = environ["wsgi.input"].read(body_limit(environ["PATH_INFO"]) + 1)
            environ["wsgi.input"] = io.BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
        return self.application(environ, start_response)


def refuse(start_response: StartResponse, status: str, reason: str) -> list[bytes]:
    """Answer with the API's error shape, `{"error": reason}`, without reaching Django."""
    body = json.dumps({"error": reason}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(status, [*headers, ("Access-Control-Allow-Origin", "*")])
    return [body]
