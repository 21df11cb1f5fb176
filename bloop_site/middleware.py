"""Middleware of the whole site: log context, CORS per route, and the guard against cross-site writes."""

import random
from collections.abc import Callable
from functools import lru_cache

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.template.response import SimpleTemplateResponse
from django.urls import Resolver404, resolve

from bloop_site.lib.api import error_response, is_api, is_ingest, is_judging, is_signed
from bloop_site.lib.bodies import body_limit
from bloop_site.lib.network import is_trusted
from bloop_site.views import forbidden_page

GetResponse = Callable[[HttpRequest], HttpResponseBase]
resolve_once = lru_cache(maxsize=64)(resolve)  # ingest has a handful of paths
PROGRAM_PREFIXES = ("/v1/", "/health")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")
INGEST_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After",
}
INGEST_PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST, PUT, OPTIONS",
    "Access-Control-Allow-Headers": (
        "Content-Type, Content-Encoding, X-Signature, X-Bloop-Signature, X-Project-Key, Idempotency-Key, Authorization"
    ),
    "Access-Control-Max-Age": "86400",
}
SITE_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type, Cookie, Authorization",
}


class RequestContextMiddleware:
    """Puts a request id on every log line of the request; answers of the API and the settings are never cached.

    Any other that says nothing of it is the browser's own, and asked for again before it is shown again. Sets the
    length of an answer that is whole, so that it need not be sent in chunks.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=f"{random.getrandbits(64):016x}")
        response = self.get_response(request)
        is_secret = is_api(request) or request.path_info.startswith("/settings/")
        response.headers.setdefault("Cache-Control", "no-store" if is_secret else "private, no-cache")
        if isinstance(response, HttpResponse):
            response.headers.setdefault("Content-Length", str(len(response.content)))
        return response


class CorsMiddleware:
    """Contract 9.2: any origin may post to ingest; everything else answers to `auth.rp_origin` only.

    Ours, not django-cors-headers: the policy differs by route in origin, methods, headers and credentials.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.site_headers = {
            "Access-Control-Allow-Origin": settings.BLOOP.auth.rp_origin,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": "Retry-After, X-Total-Count, Link",
        }

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        signed = is_ingest(request.path_info) or is_judging(request.path_info)
        if request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.META:
            response: HttpResponseBase = HttpResponse(status=204)
            add_headers(response, INGEST_PREFLIGHT if signed else SITE_PREFLIGHT)
        else:
            response = self.get_response(request)
        if signed:
            add_headers(response, INGEST_CORS)
        elif is_api(request):
            add_headers(response, self.site_headers)
        return response


def add_headers(response: HttpResponseBase, headers: dict[str, str]) -> None:
    """Set each header on the response."""
    for name, value in headers.items():
        response.headers[name] = value


class IngestLaneMiddleware:
    """Takes signed requests straight to their view: no cookies, pages or policies concern them.

    What stands below in MIDDLEWARE costs more than everything ingest itself does (docs/performance.md).
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not is_ingest(request.path_info):
            return self.get_response(request)
        try:
            match = resolve_once(request.path_info)
        except Resolver404:
            return self.get_response(request)
        request.resolver_match = match
        response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
        if isinstance(response, SimpleTemplateResponse):  # DRF's refusals; Django's handler would render them
            response.render()
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


class ForwardedSchemeMiddleware:
    """Believes `X-Forwarded-Proto` from our own proxies only (design.md 3); from anybody else it is dropped.

    Django's setting has no word about who sent it: a client that reaches us past the proxy could call its plain
    connection https.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "HTTP_X_FORWARDED_PROTO" in request.META and not is_trusted(request.META.get("REMOTE_ADDR", "")):
            del request.META["HTTP_X_FORWARDED_PROTO"]
        return self.get_response(request)


class BodyLimitMiddleware:
    """Answers 413 to a body larger than its path takes, by its length and unread (contract 9.4).

    Forms are parsed, and their bodies held, wherever `request.POST` is first looked at: in the CSRF check, before
    anybody has signed in. Signed paths do not come here; their views have limits of their own.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        limit = body_limit(request.path_info)
        if content_length(request) <= limit:
            return self.get_response(request)
        if is_api(request) or request.content_type == "application/json":
            return error_response(f"body exceeds {limit} bytes", status=413)
        return render(request, "413.html", status=413)


def content_length(request: HttpRequest) -> int:
    """The length as Django will believe it: 0 for what is no number."""
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


class KnownHostMiddleware:
    """Pages, and every way in, answer only under a name that is ours; any other is 400 (`ALLOWED_HOSTS`).

    A name somebody else chose could point here (DNS rebinding), and their page would then count as one of ours. What
    programs ask for, with a signature or a token, answers under any name this machine has.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(PROGRAM_PREFIXES):
            request.get_host()  # raises DisallowedHost
        return self.get_response(request)


class CrossSiteGuardMiddleware:
    """Refuses unsafe requests that a browser sent from another site (design.md 3).

    A request with neither `Sec-Fetch-Site` nor `Origin` does not come from a browser: scripts with a cookie work.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method in SAFE_METHODS or decides_without_cookie(request) or is_same_site(request):
            return self.get_response(request)
        reason = "cross-site request refused"
        return error_response(reason, status=403) if is_api(request) else forbidden_page(request)


def decides_without_cookie(request: HttpRequest) -> bool:
    """Whether no cookie is looked at, so that nobody's can be abused."""
    path = request.path_info
    return is_ingest(path) or (is_judging(path) and is_signed(request))


def is_same_site(request: HttpRequest) -> bool:
    """Whether the request comes from our own pages, or from no browser at all."""
    site = request.META.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.META.get("HTTP_ORIGIN")
    return origin is None or origin in (settings.BLOOP.auth.rp_origin, f"{request.scheme}://{request.get_host()}")
