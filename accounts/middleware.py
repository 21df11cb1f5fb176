"""Sessions under both cookie names, and the rule that pages need a signed-in user."""

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.contrib.auth.middleware import LoginRequiredMiddleware as DjangoLoginRequired
from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseRedirectBase
from django.shortcuts import resolve_url
from django.utils.http import urlencode

ORIGINAL_COOKIE = "bloop_session"


class SessionMiddleware(DjangoSessionMiddleware):
    """Also reads the original's cookie name (design.md 3)."""

    def process_request(self, request: HttpRequest) -> None:
        if ORIGINAL_COOKIE in request.COOKIES:
            request.COOKIES.setdefault("session", request.COOKIES[ORIGINAL_COOKIE])
        super().process_request(request)


class SeeOther(HttpResponseRedirectBase):
    """303: fetch the target with GET, whatever the method was."""

    status_code = 303


class LoginRequiredMiddleware(DjangoLoginRequired):
    """Sends strangers to sign-in: 303 for a page, HX-Redirect for a fragment, or it would land inside a table."""

    def handle_no_permission(self, request: HttpRequest, view_func: object) -> Any:
        login = resolve_url("accounts:login")
        path = current_page(request) if "HX-Request" in request.headers else request.get_full_path()
        url = f"{login}?{urlencode({'next': path})}" if path and path != "/" else login
        return (
            HttpResponse(status=204, headers={"HX-Redirect": url}) if "HX-Request" in request.headers else SeeOther(url)
        )


def current_page(request: HttpRequest) -> str:
    """Path and query of the page an htmx request came from; without its origin, which proxies make look different."""
    page = urlsplit(request.headers.get("HX-Current-URL", ""))
    return urlunsplit(("", "", page.path, page.query, ""))
