"""Sign in with a passkey or a recovery code; sign out. The ceremonies run in static/js/passkey.js and accounts.api."""

from django.conf import settings
from django.contrib import auth, messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import queries
from accounts.dashboard.entry import go_on, limited, next_of, passkey_address, with_next
from accounts.dashboard.forms import NewNameForm, RecoveryForm, SetupForm, SignInForm
from accounts.models import User
from accounts.otp import start_session
from accounts.services import links, recovery
from bloop_site.lib.network import client_address

# django-otp refuses the right code too for a while after wrong ones (accounts.services.recovery).
WRONG_CODE = (
    "That name and code do not belong together, or the code was used before. After some wrong ones, wait half a minute."
)


@login_not_required
@never_cache
@limited
@require_safe
def login(request: HttpRequest) -> HttpResponse:
    """Ask for a passkey; `?invite=` leads to the invite (contract 5.3), who is signed in goes on."""
    if token := request.GET.get("invite"):
        return redirect(with_next(request, "accounts:invite", token=token))
    if request.user.is_authenticated:
        return go_on(request)
    if not queries.is_set_up():
        return setup(request)
    context = {
        "reason": request.GET.get("reason") or ("required" if next_of(request) else ""),
        "form": SignInForm(offers=queries.any_passkey()),
        "next": next_of(request),
        "recover_url": with_next(request, "accounts:recover"),
        "passkey": passkey_address(request),
    }
    return render(request, "accounts/login.html", context)


def setup(request: HttpRequest) -> HttpResponse:
    """Nobody is here yet: where the first link is, or, with `auth.setup_token` or `auth.open_setup`, a form."""
    auth_settings = settings.BLOOP.auth
    form_class = SetupForm if auth_settings.setup_token else NewNameForm
    context = {
        "is_open": bool(auth_settings.setup_token) or auth_settings.open_setup,
        "needs_token": bool(auth_settings.setup_token),
        "form": form_class(initial={"username": links.FIRST_ADMIN}),
        "next": next_of(request),
        "passkey": passkey_address(request),
    }
    return render(request, "accounts/setup.html", context)


@login_not_required
@never_cache
@limited
@require_http_methods(["GET", "HEAD", "POST"])
def recover(request: HttpRequest) -> HttpResponse:
    """Sign in by name and recovery code, and say how many are left."""
    form = RecoveryForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        found = recovery.use_recovery_code(
            username=form.cleaned_data["username"],
            code=form.cleaned_data["code"],
            now=timezone.now(),
            address=client_address(request),
        )
        if found:
            user, device = found
            start_session(request, user=user, device=device)
            messages.info(request, after_recovery(user))
            return go_on(request, otherwise="settings:account")
        form.add_error(None, WRONG_CODE)
    context = {"form": form, "next": next_of(request), "login_url": with_next(request, "accounts:login")}
    return render(request, "accounts/recover.html", context, status=422 if form.errors else 200)


def after_recovery(user: User) -> str:
    """How many codes are left, and what to do now."""
    left = queries.unused_recovery_codes(user)
    words = {0: "That was your last recovery code", 1: "You have 1 recovery code left"}
    return f"{words.get(left, f'You have {left} recovery codes left')}. Add a passkey if you have lost yours."


@login_not_required
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End this session, if there is one; always says so (contract 5.4)."""
    auth.logout(request)
    return redirect("/auth/login?reason=signed_out")
