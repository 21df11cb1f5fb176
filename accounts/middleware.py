"""Sessions under both cookie names, and the rule that pages need a signed-in user."""

from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware as DjangoLoginRequired
from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessionMiddleware
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.http.response import HttpResponseRedirectBase
from django.shortcuts import resolve_url
from django.utils import timezone
from django.utils.http import urlencode

from accounts.sessions import SessionStore
from bloop_site.lib.log import logger

log = logger("accounts")
ORIGINAL_COOKIE = "bloop_session"


class SessionMiddleware(DjangoSessionMiddleware):
    """Also reads the original's cookie name (design.md 3), and notes now and then that a session is in use."""

    def process_request(self, request: HttpRequest) -> None:
        if ORIGINAL_COOKIE in request.COOKIES:
            request.COOKIES.setdefault(settings.SESSION_COOKIE_NAME, request.COOKIES[ORIGINAL_COOKIE])
        super().process_request(request)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response = super().process_response(request, response)
        if ORIGINAL_COOKIE in request.COOKIES and settings.SESSION_COOKIE_NAME in response.cookies:
            forget_cookie(response, ORIGINAL_COOKIE)  # there is a new one under our own name, or none any more
        note_use(cast("SessionStore", request.session))
        return response


def note_use(session: SessionStore) -> None:
    """Note that the session is in use. The answer is there already: it does not fail for want of this."""
    try:
        session.note_use(now=timezone.now())
    except DatabaseError:
        log.exception("session_use_not_noted")


def forget_cookies(response: HttpResponseBase) -> None:
    """Have the browser forget its session under both names, whether or not it sent one."""
    for name in (settings.SESSION_COOKIE_NAME, ORIGINAL_COOKIE):
        forget_cookie(response, name)


def forget_cookie(response: HttpResponseBase, name: str) -> None:
    """Have the browser forget a cookie of ours."""
    response.delete_cookie(name, path=settings.SESSION_COOKIE_PATH, samesite="Lax")


class SeeOther(HttpResponseRedirectBase):
    """303: fetch the target with GET, whatever the method was."""

    status_code = 303


class LoginRequiredMiddleware(DjangoLoginRequired):
    """Sends strangers to sign-in: 303 for a page, HX-Redirect for a fragment, or it would land inside a table."""

    def process_view(self, request: HttpRequest, view_func: Any, view_args: Any, view_kwargs: Any) -> Any:
        """Django's own looks at the user first, which costs two queries: an API call with a token needs neither."""
        is_open = not getattr(view_func, "login_required", True)
        return None if is_open else super().process_view(request, view_func, view_args, view_kwargs)

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
