"""Sign-in links and invites. A link is used up by POST only: previews and scanners open links too."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts import queries
from accounts.dashboard.entry import go_on, limited, next_of, passkey_address
from accounts.dashboard.forms import NewNameForm
from accounts.models import Invite, LoginLink
from accounts.otp import start_session
from accounts.services import invites, links
from bloop_site.lib.network import client_address


@login_not_required
@never_cache
@limited
@require_http_methods(["GET", "HEAD", "POST"])
def link(request: HttpRequest, token: str) -> HttpResponse:
    """Show what a sign-in link is for; POST signs in. The first admin's link also registers a passkey (passkey.js)."""
    found = queries.usable_login_link(token=token, now=timezone.now())
    if found is None:
        return link_gone(request)
    if request.method == "POST":
        return redeem(request, found, token)
    context = {
        "is_first": found.user is None,
        "username": found.user.username if found.user else links.FIRST_ADMIN,
        "form": NewNameForm(initial={"username": links.FIRST_ADMIN}),
        "token": token,
        "next": next_of(request),
        "passkey": passkey_address(request),
    }
    return render(request, "accounts/link.html", context)


def redeem(request: HttpRequest, found: LoginLink, token: str) -> HttpResponse:
    """Sign in by the link; who needed it for want of a passkey is led to where they add one."""
    try:
        user = links.redeem_login_link(token=token, now=timezone.now(), address=client_address(request))
    except links.LinkInvalid:
        return link_gone(request)
    start_session(request, user=user)
    if found.user is None or queries.passkeys_of(user):
        return go_on(request)
    return go_on(request, otherwise="settings:account")


def link_gone(request: HttpRequest) -> HttpResponse:
    """What to do about a link that is used or too old."""
    return render(request, "accounts/link_gone.html", {"is_first": not queries.is_set_up()}, status=410)


@login_not_required
@never_cache
@limited
@require_http_methods(["GET", "HEAD", "POST"])
def invite(request: HttpRequest, token: str) -> HttpResponse:
    """Choose a name and join, with a passkey (passkey.js) or, by POST, without one."""
    found = queries.usable_invite(token=token, now=timezone.now())
    if found is None:
        return render(request, "accounts/invite_gone.html", status=410)
    form = NewNameForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            return join(request, token=token, username=form.cleaned_data["username"])
        except invites.UsernameInvalid as reason:
            form.refuse(reason)
        except links.LinkInvalid:
            return render(request, "accounts/invite_gone.html", status=410)
    return invite_page(request, found, form, token)


def join(request: HttpRequest, *, token: str, username: str) -> HttpResponse:
    """Make the account and sign it in. Raises UsernameInvalid or LinkInvalid."""
    address = client_address(request)
    user = invites.accept_invite(token=token, username=username, now=timezone.now(), address=address)
    start_session(request, user=user)
    return go_on(request)


def invite_page(request: HttpRequest, found: Invite, form: NewNameForm, token: str) -> HttpResponse:
    """The invite with its form; 422 when the name was not taken."""
    context = {
        "role": found.role,
        "projects": found.projects.select_related("project"),
        "form": form,
        "token": token,
        "next": next_of(request),
        "passkey": passkey_address(request),
    }
    return render(request, "accounts/invite.html", context, status=422 if form.errors else 200)
