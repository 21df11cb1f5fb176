"""Pages and answers that belong to no app: the front door, errors, and the API's page."""

import sys
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from bloop_site.lib.api import RETRY_AFTER_SECONDS, STORAGE_AWAY, error_response, is_api


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """`/` leads to the errors; without a session the middleware has led to sign-in already (303)."""
    return redirect("errors:list")


@require_safe
def settings_front(request: HttpRequest) -> HttpResponse:
    """`/settings`, with or without a slash, leads to the first of its pages."""
    return onward(request, reverse("settings:projects"))


@require_safe
def admin_front(request: HttpRequest) -> HttpResponse:
    """`/admin` without its slash leads to the Django admin, which says itself who may come in."""
    return onward(request, reverse("admin:index"))


def onward(request: HttpRequest, address: str) -> HttpResponse:
    """Lead to an address of ours with the query that came. Nothing of the path asked for is in it."""
    query = request.META.get("QUERY_STRING", "")
    return redirect(f"{address}?{query}" if query else address)


def forbidden_page(request: HttpRequest) -> HttpResponse:
    """The 403 page."""
    return render(request, "403.html", status=403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF refusal in our own look."""
    return forbidden_page(request)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404 as JSON on API paths, as a page elsewhere."""
    return error_response("not found", status=404) if is_api(request) else render(request, "404.html", status=404)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400 as JSON on API paths, as a page elsewhere; under another name than ours, it says where Bloop is."""
    if is_api(request):
        return error_response("bad request", status=400)
    if isinstance(exception, DisallowedHost):
        return render(request, "wrong_address.html", {"origin": settings.BLOOP.auth.rp_origin}, status=400)
    return render(request, "404.html", status=400)


def server_error(request: HttpRequest, *args: Any) -> HttpResponse:
    """500 without a word of what went wrong, that is in the log; 503 while the database is away or busy."""
    is_away = isinstance(sys.exc_info()[1], OperationalError | InterfaceError)
    status, text = (503, STORAGE_AWAY) if is_away else (500, "internal server error")
    answer: HttpResponse = (
        error_response(text, status=status)
        if is_api(request)
        else render(request, "500.html", {"status": status}, status=status)
    )
    if is_away:
        answer["Retry-After"] = RETRY_AFTER_SECONDS
    return answer
