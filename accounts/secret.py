"""Secrets handed out once and kept as a hash."""

import base64
import hashlib
import hmac
import secrets

from django.conf import settings


def new_token() -> str:
    """43 base64url characters, 256 random bits."""
    return secrets.token_urlsafe(32)


def hashed(token: str) -> str:
    """SHA-256 hex of a 256-bit token; such tokens need no salt and no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def derived_token(purpose: str, seed: str) -> str:
    """43 base64url characters that only this server can make of `seed` again."""
    digest = hmac.digest(settings.SECRET_KEY.encode(), f"{purpose}:{seed}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
