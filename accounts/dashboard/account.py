"""Settings, the own account: passkeys, recovery codes, and where one is signed in."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts import queries
from accounts.access import actor_of, may_add_passkey, verified_act
from accounts.http import PageRequest
from accounts.models import Passkey, Session
from accounts.secret import hashed
from accounts.services import passkeys, recovery, sessions
from bloop_site.lib.browsers import browser_words
from bloop_site.lib.clock import now_ms, to_ms
from bloop_site.lib.once import keep_once, take_once

CODES = "recovery codes"


class PasskeyNameForm(forms.Form):
    name = forms.CharField(
        max_length=passkeys.NAME_LENGTH,
        label="Name",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": "Give it a name."},
    )


class SessionForm(forms.Form):
    session = forms.RegexField(r"^[0-9a-f]{64}\Z")  # the hash it is kept by


@dataclass(frozen=True)
class PasskeyRow:
    """A passkey with the form that renames it; times in epoch ms."""

    id: int
    name: str
    is_synced: bool
    created_ms: int
    last_used_ms: int | None
    form: PasskeyNameForm


@dataclass(frozen=True)
class SessionRow:
    """A browser that is signed in; times in epoch ms."""

    key_hash: str
    browser: str
    user_agent: str
    address: str
    created_ms: int
    last_seen_ms: int | None
    is_this: bool


def passkey_row(passkey: Passkey, refused: dict[int, PasskeyNameForm]) -> PasskeyRow:
    """The row of a passkey; `refused`: the form with what was wrong, by passkey id."""
    form = PasskeyNameForm(initial={"name": passkey.name}, auto_id=f"passkey_{passkey.pk}_%s")
    return PasskeyRow(
        id=passkey.pk,
        name=str(passkey.name),
        is_synced=passkey.is_synced,
        created_ms=to_ms(passkey.created_at),
        last_used_ms=to_ms(passkey.last_used_at) if passkey.last_used_at else None,
        form=refused.get(passkey.pk, form),
    )


def session_row(session: Session, this: str) -> SessionRow:
    """The row of a session; `this`: the hash of the one that asks."""
    return SessionRow(
        key_hash=session.key_hash,
        browser=browser_words(session.user_agent),
        user_agent=session.user_agent,
        address=session.address,
        created_ms=to_ms(session.created_at),
        last_seen_ms=to_ms(session.last_seen_at) if session.last_seen_at else None,
        is_this=session.key_hash == this,
    )


def this_session(request: PageRequest) -> str:
    """The hash by which the session of this request is kept."""
    return hashed(request.session.session_key or "")


@never_cache
@require_safe
def account(request: PageRequest) -> HttpResponse:
    """The own account; recovery codes just made are shown on it once."""
    codes = take_once(request, name=CODES, now_ms=now_ms())
    return render(request, "settings/account.html", page_context(request, codes=codes))


def page_context(
    request: PageRequest, *, codes: list[str] | None = None, refused: dict[int, PasskeyNameForm] | None = None
) -> dict[str, Any]:
    """What the page shows; `refused`: a form in the place of a fresh one, by passkey id."""
    user, this = request.user, this_session(request)
    signed_in = [session_row(session, this) for session in queries.sessions_of(user, timezone.now())]
    return {
        "person": user,
        "joined_ms": to_ms(user.created_at),
        "passkeys": [passkey_row(each, refused or {}) for each in queries.passkeys_of(user)],
        "may_add_passkey": may_add_passkey(request, now=timezone.now()),
        "verify_url": f"{reverse('accounts:verify')}?{urlencode({'next': reverse('settings:account')})}",
        "origin": settings.BLOOP.auth.rp_origin,
        "codes": codes,
        "codes_file": codes_file(codes, username=user.username) if codes else "",
        "codes_left": queries.unused_recovery_codes(user),
        "sessions": sorted(signed_in, key=lambda row: not row.is_this),
        "has_other_sessions": any(not row.is_this for row in signed_in),
    }


def codes_file(codes: list[str], *, username: str) -> str:
    """The codes as a text file inside an address: no second request could ask for them."""
    lines = [f"Recovery codes for {username} at {settings.BLOOP.auth.rp_origin}", "Each works once.", "", *codes, ""]
    return f"data:text/plain;charset=utf-8,{quote(chr(10).join(lines))}"


# --- Passkeys and recovery codes: the ways in -------------------------------------------------------------------------


@require_POST
def rename(request: PageRequest, passkey_id: int) -> HttpResponse:
    """Give a passkey another name."""
    if not Passkey.objects.filter(user=request.user, pk=passkey_id).exists():
        raise Http404
    form = PasskeyNameForm(request.POST, auto_id=f"passkey_{passkey_id}_%s")
    if form.is_valid():
        try:
            passkeys.rename_passkey(
                user=request.user,
                passkey_id=passkey_id,
                name=form.cleaned_data["name"],
                actor=actor_of(request),
                now=timezone.now(),
            )
        except passkeys.PasskeyInvalid as reason:
            form.add_error("name", f"{reason}.")
        else:
            messages.success(request, "Renamed.")
            return redirect("settings:account")
    context = page_context(request, refused={passkey_id: form})
    return render(request, "settings/account.html", context, status=422)


@require_POST
@verified_act
def remove(request: PageRequest, passkey_id: int) -> HttpResponse:
    """Remove a passkey, but not the last way in."""
    if not Passkey.objects.filter(user=request.user, pk=passkey_id).exists():
        raise Http404
    try:
        passkeys.remove_passkey(
            user=request.user,
            passkey_id=passkey_id,
            actor=actor_of(request),
            now=timezone.now(),
            except_key_hash=this_session(request),
        )
    except passkeys.LastWayIn as reason:
        messages.error(request, str(reason))
    else:
        messages.success(request, "Removed: that passkey signs nobody in any more. Remove it on your device as well.")
    return redirect("settings:account")


@require_POST
@verified_act
def make_codes(request: PageRequest) -> HttpResponse:
    """Make recovery codes in place of those there were, to be shown once."""
    codes = recovery.make_recovery_codes(user=request.user, actor=actor_of(request), now=timezone.now())
    keep_once(request, name=CODES, value=codes, now_ms=now_ms())
    return redirect("settings:account")


# --- Sessions ---------------------------------------------------------------------------------------------------------


@require_POST
def end_session(request: PageRequest) -> HttpResponse:
    """Sign one of the own browsers out."""
    form = SessionForm(request.POST)
    if form.is_valid() and sessions.revoke_session(
        user=request.user, key_hash=form.cleaned_data["session"], actor=actor_of(request), now=timezone.now()
    ):
        messages.success(request, "Signed out there.")
    else:
        messages.error(request, "That session had ended already.")
    return redirect("settings:account")


@require_POST
def end_other_sessions(request: PageRequest) -> HttpResponse:
    """Sign every own browser out but this one."""
    count = sessions.revoke_sessions(
        user=request.user, except_key_hash=this_session(request), actor=actor_of(request), now=timezone.now()
    )
    messages.success(request, f"Signed out {count} other {'browser' if count == 1 else 'browsers'}.")
    return redirect("settings:account")
