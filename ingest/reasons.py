"""Why ingest refuses, by code: the words people read, and what to do about it. Pure."""

from dataclasses import dataclass

SIGNATURE = "signature"
UNKNOWN_KEY = "unknown_key"
MISSING_SIGNATURE = "missing_signature"
TOO_LARGE = "too_large"
INVALID = "invalid"
RATE_LIMITED = "rate_limited"
FULL = "full"
UNAVAILABLE = "unavailable"
BATCH_ITEM = "batch_item"
OTHER = "other"
BY_STATUS = {413: TOO_LARGE, 429: RATE_LIMITED, 503: FULL}


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason in words. help: what to do, a sentence or three (seed "Troubleshooting")."""

    label: str
    help: str


REASONS = {
    SIGNATURE: Reason(
        "Signature does not match",
        "Sign the exact request body you send, with the right key: X-Signature is the hex-encoded HMAC-SHA256 of the "
        "raw JSON body. Whatever formats the body again after it was signed breaks it.",
    ),
    UNKNOWN_KEY: Reason(
        "Unknown key",
        "Check that the X-Project-Key header is the project’s key as it was shown when it was made. Keys are "
        "case-sensitive, and an old one ends when its time after a rotation is over.",
    ),
    MISSING_SIGNATURE: Reason(
        "No signature",
        "Send the header X-Signature with each request: the hex-encoded HMAC-SHA256 of the raw JSON body.",
    ),
    TOO_LARGE: Reason(
        "Too large",
        "Shorten what the program attaches (stack, metadata), or send fewer events at once; whoever runs Bloop can "
        "raise ingest.max_payload_bytes and ingest.max_batch_bytes.",
    ),
    INVALID: Reason(
        "Not an event",
        "The answer names what was wrong: the body has to be JSON, in UTF-8, with the fields of the API docs.",
    ),
    RATE_LIMITED: Reason(
        "Too many requests",
        "Send several events in one request to /v1/ingest/batch, and wait as long as Retry-After says; whoever runs "
        "Bloop can raise rate_limit.per_second.",
    ),
    FULL: Reason(
        "Buffer full",
        "Events come faster than they are stored. Check buffer_usage at /health: near 1.0, the worker is behind or "
        "not running. Clients that try again after Retry-After lose nothing.",
    ),
    UNAVAILABLE: Reason(
        "Storage unavailable",
        "The database could not be reached. Clients that try again after Retry-After lose nothing.",
    ),
    BATCH_ITEM: Reason(
        "Event in a batch not taken",
        "The rest of its batch was stored. The answer lists each refused event with its index and what was wrong.",
    ),
    OTHER: Reason(
        "More than could be told apart",
        "So much was refused at once that it was only counted.",
    ),
}


def reason_of_status(status: int) -> str:
    """The code of a refusal that names none, by its HTTP status."""
    return BY_STATUS.get(status, INVALID)


def words_of(code: str) -> Reason:
    """The reason's words; a code from a later version speaks for itself."""
    return REASONS.get(code, Reason(code, ""))
