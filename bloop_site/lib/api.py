"""The one shape of an API error, `{"error": "<text>"}` (contract 0.5), and the paths that answer in it."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

AUTH_PREFIXES = tuple(
    f"/auth/{path}"
    for path in ("register/", "login/", "invite/register/", "passkeys/", "verify/", "logout", "status")  # not pages
)
API_PREFIXES = ("/v1/", "/health", *AUTH_PREFIXES)
INGEST_PREFIXES = ("/v1/ingest", "/v1/traces")
STORAGE_AWAY = "storage is unavailable, try again later"
RETRY_AFTER_SECONDS = "5"  # while storage is away, or full


def is_api(request: HttpRequest) -> bool:
    """Whether errors on this path are JSON rather than a page."""
    return request.path_info.startswith(API_PREFIXES)


def is_ingest(path: str) -> bool:
    """Whether only signed clients post here: no cookies, any origin."""
    return path.startswith(INGEST_PREFIXES) and not is_judging(path)


def is_judging(path: str) -> bool:
    """Whether it is the scores of a trace, which stand among the signed paths but take tokens and sessions as well.

    Such a request goes the way of all others, past everything that guards a cookie; pages of any origin may send it as
    they may send traces, if it is signed.
    """
    return path.startswith("/v1/traces/") and path.endswith("/scores")


def is_signed(request: HttpRequest) -> bool:
    """Whether the signature alone decides whose request it is: it has one, or names a key, and brings no token.

    Asked by the views that take either and by the guard of cookies, which lets such a request pass: they must agree.
    """
    meta = request.META
    scheme, _, secret = meta.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer" and secret.strip():
        return False
    return any(meta.get(name) for name in ("HTTP_X_SIGNATURE", "HTTP_X_BLOOP_SIGNATURE", "HTTP_X_PROJECT_KEY"))


def error_response(reason: str, *, status: int, headers: dict[str, str] | None = None) -> JsonResponse:
    """`{"error": reason}` with the status and headers given."""
    return JsonResponse({"error": reason}, status=status, headers=headers)


class ApiError(exceptions.APIException):
    """An answer to a bad request: a status, a text for `error`, and headers. code: its kind, for our own books."""

    def __init__(
        self, reason: str, *, status: int = 400, headers: dict[str, str] | None = None, code: str = ""
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.status_code = status
        self.headers = headers or {}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: every refusal becomes `{"error": text}`; what is no refusal is left to Django (500)."""
    if isinstance(error, Http404):
        error = exceptions.NotFound(*error.args)
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied(*error.args)
    if not isinstance(error, exceptions.APIException):
        return None
    set_rollback()
    headers = dict(getattr(error, "headers", {}))
    if getattr(error, "wait", None):
        headers["Retry-After"] = str(int(error.wait))  # type: ignore[attr-defined]
    if error.status_code == status.HTTP_401_UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    words = first_text(error.detail).encode(errors="replace").decode()  # they may repeat half of a surrogate pair
    return Response({"error": words}, status=error.status_code, headers=headers)


def first_text(detail: Any, name: str = "") -> str:
    """The first message in DRF's nested detail, with the field it belongs to."""
    if isinstance(detail, dict):
        field, inner = next(iter(detail.items()))
        return first_text(inner, "" if field == "non_field_errors" else str(field))
    if isinstance(detail, list):
        return first_text(detail[0], name)
    return f"{name}: {detail}" if name else str(detail)
