"""What the pages of getting in share: the limit on attempts, where to go next, and where passkeys work."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from accounts import attempts
from accounts.passkeys import passkey_problem

Request = TypeVar("Request", bound=HttpRequest)
Rest = ParamSpec("Rest")
Page = Callable[Concatenate[Request, Rest], HttpResponse]


def limited(page: Page[Request, Rest]) -> Page[Request, Rest]:
    """Answer 429 when this address (contract 9.1), or somebody at one account, tries too often."""

    @wraps(page)
    def wrapper(request: Request, /, *args: Rest.args, **kwargs: Rest.kwargs) -> HttpResponse:
        if wait := attempts.wait_for_address(request):
            return too_many(request, wait=wait)
        try:
            return page(request, *args, **kwargs)
        except attempts.TooOften as often:
            return too_many(request, wait=often.wait)

    return wrapper


def too_many(request: HttpRequest, *, wait: int) -> HttpResponse:
    """The 429 page; `wait` in seconds."""
    context = {"wait": wait, "again": request.get_full_path()}
    response = render(request, "accounts/too_many.html", context, status=429)
    response.headers["Retry-After"] = str(wait)
    return response


# --- Where to go next -----------------------------------------------------------------------------------------------


def next_of(request: HttpRequest) -> str:
    """Where the person wanted to go: a path of our own, or "" for anything else."""
    target = request.POST.get("next") or request.GET.get("next", "")
    return target if target.startswith("/") and url_has_allowed_host_and_scheme(target, allowed_hosts=None) else ""


def go_on(request: HttpRequest, *, otherwise: str = "dashboard") -> HttpResponse:
    """On to `next`, else to the route `otherwise`."""
    target = next_of(request)
    return HttpResponseRedirect(target) if target else redirect(otherwise)


def with_next(request: HttpRequest, route: str, **words: str) -> str:
    """The URL of `route`, carrying `next` along."""
    target = next_of(request)
    return resolve_url(route, **words) + (f"?{urlencode({'next': target})}" if target else "")


# --- Where passkeys work --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PasskeyAddress:
    """Where passkeys work, this page's URL there, and in words why they do not work: anywhere, or here.

    never: the settings contradict each other; "" when they agree. here: this page is open at another address as far
    as the server can tell. Behind a proxy only the browser knows, so passkey.js has the last word.
    """

    origin: str
    url: str
    never: str
    here: str


def passkey_address(request: HttpRequest) -> PasskeyAddress:
    """How the address of this page fits the configured one."""
    origin: str = settings.BLOOP.auth.rp_origin
    return PasskeyAddress(
        origin=origin,
        url=origin + request.get_full_path(),
        never=passkey_problem(origin) or "",
        here=passkey_problem(f"{request.scheme}://{request.get_host()}") or "",
    )
