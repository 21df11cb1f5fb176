"""What `manage.py check` can prove of a deployment."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as CheckWarning


@register("bloop")
def passkey_origin(**_: Any) -> list[CheckMessage]:
    """`auth.rp_id` must be the host of `auth.rp_origin` or a parent domain of it (WebAuthn)."""
    host, rp_id = settings.ORIGIN.hostname or "", settings.BLOOP.auth.rp_id
    if host == rp_id or host.endswith(f".{rp_id}"):
        return []
    return [
        Error(
            f"auth.rp_id is {rp_id!r} but auth.rp_origin has the host {host!r}.",
            hint="Passkeys work only if rp_id is that host or a parent domain of it.",
            id="bloop.E001",
        )
    ]


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
