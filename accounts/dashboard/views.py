"""Sign in by link, accept an invite, sign out. A link is used up by POST only: previews and scanners open links too."""

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import queries, services
from accounts.dashboard.forms import InviteForm
from accounts.models import User
from accounts.throttle import Limit, Throttle
from bloop_site.lib.network import client_address

throttle = Throttle(Limit("auth", settings.BLOOP.rate_limit.auth_per_second, settings.BLOOP.rate_limit.auth_burst_size))


def too_many(request: HttpRequest) -> HttpResponse | None:
    """The 429 page when this address tries too often (contract 9.1), else None."""
    wait = throttle.wait_seconds(client_address(request))
    if not wait:
        return None
    context = {"reason": "too_many", "wait": wait}
    response = render(request, "accounts/login.html", context, status=429)
    response.headers["Retry-After"] = str(wait)
    return response


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD"])
def login(request: HttpRequest) -> HttpResponse:
    """Explain how to get in; `?invite=` leads to the invite (contract 5.3), a signed-in person to the dashboard."""
    if refused := too_many(request):
        return refused
    if token := request.GET.get("invite"):
        return redirect("accounts:invite", token=token)
    if request.user.is_authenticated:
        return redirect("dashboard")
    reason = request.GET.get("reason") or ("required" if request.GET.get("next") else "")
    return render(request, "accounts/login.html", {"reason": reason})


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def link(request: HttpRequest, token: str) -> HttpResponse:
    """Show the button of a sign-in link; POST signs in and goes on to `next`."""
    if refused := too_many(request):
        return refused
    if request.method == "POST":
        try:
            user = services.redeem_login_link(token=token, now=timezone.now())
        except services.LinkInvalid:
            return render(request, "accounts/link.html", {"valid": False}, status=410)
        return sign_in(request, user)
    found = queries.usable_login_link(token=token, now=timezone.now())
    name = found.user.username if found and found.user else services.FIRST_ADMIN
    context = {"valid": found is not None, "username": name}
    return render(request, "accounts/link.html", context, status=200 if found else 410)


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invite(request: HttpRequest, token: str) -> HttpResponse:
    """Choose a name and join."""
    if refused := too_many(request):
        return refused
    found = queries.usable_invite(token=token, now=timezone.now())
    if found is None:
        return render(request, "accounts/invite.html", {"valid": False}, status=410)
    form = InviteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            username = form.cleaned_data["username"]
            return sign_in(request, services.accept_invite(token=token, username=username, now=timezone.now()))
        except services.UsernameInvalid as reason:
            form.refuse(reason)
        except services.LinkInvalid:
            return render(request, "accounts/invite.html", {"valid": False}, status=410)
    context = {"valid": True, "form": form, "role": found.role}
    return render(request, "accounts/invite.html", context, status=422 if form.errors else 200)


@login_not_required
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End this session, if there is one; always says so (contract 5.4)."""
    auth.logout(request)
    return redirect("/auth/login?reason=signed_out")


def sign_in(request: HttpRequest, user: User) -> HttpResponse:
    """Start a fresh session for `user` and go to a `next` of our own, else to the dashboard."""
    request.session.flush()  # signed in again, the same person gets a new key and the whole lifetime too
    auth.login(request, user)
    target = request.POST.get("next", "")
    is_own = target.startswith("/") and url_has_allowed_host_and_scheme(target, allowed_hosts=None)
    return HttpResponseRedirect(target) if is_own else redirect("dashboard")
