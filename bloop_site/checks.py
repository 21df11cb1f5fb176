"""What `manage.py check` can prove of a deployment."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as CheckWarning

from accounts.passkeys import SHUT, address_problem, domain_problem, is_shut

LINKS = "Until then people sign in by manage.py loginlink."
SHUT_BUT = f"{SHUT} Events come in, and API tokens work."


@register("bloop")
def passkey_origin(**_: Any) -> list[CheckMessage]:
    """Passkeys can work with `auth.rp_id` and `auth.rp_origin` as they are (WebAuthn): the commonest thing to go wrong.

    Where browsers allow no passkeys at all, Bloop still runs: events come in, and sign-in links work. Over plain http
    not even those do, except on this machine: the session's cookie is for https only, and stays so.
    """
    origin, rp_id = settings.BLOOP.auth.rp_origin, settings.BLOOP.auth.rp_id
    if problem := address_problem(origin=origin):
        return [CheckWarning(problem, hint=SHUT_BUT if is_shut(origin) else LINKS, id="bloop.W002")]
    if problem := domain_problem(origin=origin, rp_id=rp_id):
        return [Error(problem, id="bloop.E001")]
    return []


@register("bloop", deploy=True)
def shared_secrets(**_: Any) -> list[CheckMessage]:
    """Scaled out, every machine needs the same secrets: generated files would differ."""
    if settings.BLOOP.database_url and not settings.BLOOP.auth.hmac_secret:
        return [
            CheckWarning(
                "DATABASE_URL is set but auth.hmac_secret is not: each machine would generate its own.",
                hint="Set BLOOP__AUTH__HMAC_SECRET to the same value everywhere.",
                id="bloop.W001",
            )
        ]
    return []
