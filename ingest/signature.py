"""HMAC-SHA256 over the raw body (contract 1.1): pure, constant-time."""

import binascii
import hmac


class SignatureEncodingInvalid(Exception):
    """The header is not the hex of 32 bytes' worth of digits."""


def decode_signature(header: str) -> bytes:
    """The bytes of a hex signature in either letter case. Raises SignatureEncodingInvalid for what is no hex."""
    try:
        return binascii.unhexlify(header.strip())
    except (binascii.Error, ValueError):
        raise SignatureEncodingInvalid from None


def is_signed_by(key: str, *, body: bytes, signature: bytes) -> bool:
    """Whether `signature` is HMAC-SHA256 of `body` under the UTF-8 bytes of the whole key string."""
    return hmac.compare_digest(hmac.digest(key.encode(), body, "sha256"), signature)
