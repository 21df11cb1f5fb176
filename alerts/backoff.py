"""How long a delivery that failed waits for its next attempt. Pure."""

from datetime import UTC
from email.utils import parsedate_to_datetime

from bloop_site.lib.clock import HOUR_MS, MINUTE_MS, SECOND_MS, to_ms

# After the first, second … attempt; after the last there is none.
WAITS_MS = (5 * SECOND_MS, 30 * SECOND_MS, 2 * MINUTE_MS, 10 * MINUTE_MS, HOUR_MS)
MAX_ATTEMPTS = len(WAITS_MS) + 1
LONGEST_ASKED_MS = HOUR_MS
JITTER = 0.2  # so that what failed together does not come back together
LONGEST_MS = int(max(LONGEST_ASKED_MS, *WAITS_MS) * (1 + JITTER))


def wait_ms(*, attempts: int, retry_after: str | None, now_ms: int, chance: float) -> int | None:
    """How long to wait after so many attempts (1 or more); None when that was the last.

    retry_after: what the answer asked for (RFC 9110, 10.2.3); it is waited for, at least a second and at most an hour.
    chance: 0 to 1, adds up to a fifth.
    """
    if attempts >= MAX_ATTEMPTS:
        return None
    asked = asked_ms(retry_after, now_ms=now_ms)
    wait = WAITS_MS[attempts - 1] if asked is None else min(max(asked, SECOND_MS), LONGEST_ASKED_MS)
    return wait + int(wait * JITTER * chance)


def asked_ms(retry_after: str | None, *, now_ms: int) -> int | None:
    """A Retry-After, in seconds or as a date, as milliseconds from now; None when there is none that can be read."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdecimal():
        return int(text[:10]) * SECOND_MS
    try:
        at = parsedate_to_datetime(text)
        return to_ms(at if at.tzinfo else at.replace(tzinfo=UTC)) - now_ms
    except (ValueError, OverflowError):
        return None
