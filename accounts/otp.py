"""Adapter to django-otp and Django's sessions: how a proven person becomes a signed-in, verified session."""

import django_otp
from django.contrib import auth
from django.http import HttpRequest
from django_otp.models import Device

from accounts.models import User
from bloop_site.lib.network import client_address


def start_session(request: HttpRequest, *, user: User, device: Device | None = None) -> None:
    """Sign `user` in: a new key, the whole lifetime, nothing kept of what the session held before.

    device: the passkey or recovery codes that proved them, which makes the session verified; a link does not.
    """
    request.session.flush()
    auth.login(request, user)
    if device is not None:
        django_otp.login(request, device)
    describe(request)


def verify_session(request: HttpRequest, *, device: Device) -> None:
    """Make the signed-in session verified by `device`: a new key and the whole lifetime, its data kept."""
    request.session.cycle_key()
    django_otp.login(request, device)
    describe(request)


def describe(request: HttpRequest) -> None:
    """Note in the session where it is used from, for the list a person sees of theirs."""
    user_agent = request.META.get("HTTP_USER_AGENT", "")
    request.session.describe(address=client_address(request), user_agent=user_agent)  # type: ignore[attr-defined]
