"""Rules of the status machine that need no database (contract 3.2). Pure."""

NO_RELEASE = "unknown"  # what an event without a release has (contract 1.6)


def mute_is_over(*, until_ms: int | None, until_count: int | None, now_ms: int, total_count: int) -> bool:
    """Whether a mute has run out: its time has come, or the issue's total has reached its number. Never without either.

    Times in epoch milliseconds.
    """
    return (until_ms is not None and now_ms >= until_ms) or (until_count is not None and total_count >= until_count)
