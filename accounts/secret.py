"""Secrets handed out once and kept as a hash."""

import hashlib
import secrets


def new_token() -> str:
    """43 base64url characters, 256 random bits."""
    return secrets.token_urlsafe(32)


def hashed(token: str) -> str:
    """SHA-256 hex of a 256-bit token; such tokens need no salt and no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
