"""Who may open a page beyond being signed in, and as whom they act."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode

from accounts.audit import Actor
from accounts.http import PageRequest
from accounts.models import Passkey
from accounts.sessions import SessionStore
from bloop_site.lib.network import client_address

View = Callable[..., HttpResponse]
FRESH = timedelta(minutes=10)


def actor_of(request: PageRequest) -> Actor:
    """The signed-in person and the address they act from, for the audit log."""
    return Actor(request.user, client_address(request))


def admin_page(view: View) -> View:
    """A page for admins; everybody else gets the 403 page."""

    @wraps(view)
    def guarded(request: PageRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_admin:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded


def is_verified(request: PageRequest) -> bool:
    """Whether a passkey or a recovery code has verified this session (django-otp)."""
    return bool(cast("Any", request.user).is_verified())


def must_verify(request: PageRequest) -> bool:
    """Whether the session has to be verified before it may change the ways in: who has no passkey yet cannot be."""
    return not is_verified(request) and Passkey.objects.filter(user=request.user, confirmed=True).exists()


def may_add_passkey(request: PageRequest, *, now: datetime) -> bool:
    """Whether the session may add a way in, as `accounts.api.own` decides it: who has just signed in by a link may too.

    Somebody who lost their passkeys could not verify a session by one.
    """
    row = cast("SessionStore", request.session).row
    is_fresh = row is not None and row.created_at > now - FRESH
    return is_fresh or not must_verify(request)


def verified_act(view: View) -> View:
    """An act that changes the ways in; an unverified session is led to verify itself, then back to the account."""

    @wraps(view)
    def guarded(request: PageRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if must_verify(request):
            query = urlencode({"next": reverse("settings:account")})
            return HttpResponseRedirect(f"{reverse('accounts:verify')}?{query}")
        return view(request, *args, **kwargs)

    return guarded
