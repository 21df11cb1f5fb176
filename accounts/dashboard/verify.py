"""A signed-in person proves once more who they are: before the Django admin, and before what could lock them out."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts import queries
from accounts.dashboard.entry import go_on, limited, next_of, passkey_address
from accounts.dashboard.forms import CodeForm
from accounts.http import PageRequest
from accounts.otp import verify_session
from accounts.services import recovery
from bloop_site.lib.network import client_address

WRONG_CODE = "That is none of your codes, or it was used before. After some wrong ones, wait half a minute."


@never_cache
@limited
@require_http_methods(["GET", "HEAD", "POST"])
def verify(request: PageRequest) -> HttpResponse:
    """Ask for a passkey (passkey.js) or a recovery code, then go on to `next`."""
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        found = recovery.use_recovery_code(
            username=request.user.username,
            code=form.cleaned_data["code"],
            now=timezone.now(),
            address=client_address(request),
        )
        if found:
            verify_session(request, device=found[1])
            return go_on(request)
        form.add_error("code", WRONG_CODE)
    context = {
        "form": form,
        "next": next_of(request),
        "has_passkey": bool(queries.passkeys_of(request.user)),
        "has_code": queries.unused_recovery_codes(request.user) > 0,
        "passkey": passkey_address(request),
    }
    return render(request, "accounts/verify.html", context, status=422 if form.errors else 200)
