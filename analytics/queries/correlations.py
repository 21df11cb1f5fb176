"""Issues whose events come and go together (contract 7.3)."""

from typing import Final

from analytics.answers import Ask, Pair
from analytics.queries.naming import ranked
from errors.queries.insights import last_hours

MIN_BUSY_HOURS: Final = 6  # hours with events that an issue must have to be compared
MIN_CORRELATION: Final = 0.7
MAX_CANDIDATES: Final = 200  # by volume; every two of them are compared


def correlations(ask: Ask) -> tuple[Pair, ...]:
    """The pairs whose hourly counts correlate by 0.7 or more, the highest first, each once."""
    import numpy as np  # noqa: PLC0415

    from analytics.finding import correlated_pairs  # noqa: PLC0415
    from errors.queries.packed import hour_counts  # noqa: PLC0415

    found = hour_counts(ask.reach, last_hours(hours=ask.hours, now_ms=ask.last_ms), environment=ask.environment)
    eligible = np.flatnonzero(np.count_nonzero(found.counts, axis=1) >= MIN_BUSY_HOURS)
    totals = found.counts.sum(axis=1)[eligible]
    candidates = ranked(totals, found.issue_ids[eligible], limit=MAX_CANDIDATES)
    candidates.sort(key=lambda each: (each[1].fingerprint, each[1].project_id))
    rows = found.counts[eligible[[at for at, _ in candidates]]] if candidates else found.counts[:0]
    issues = [issue for _, issue in candidates]
    # A fingerprint comes before another; so one that two projects have is no pair.
    names = [issue.fingerprint for issue in issues]
    pairs = correlated_pairs(rows, names, threshold=MIN_CORRELATION, limit=ask.limit)
    return tuple(
        Pair(
            a=issues[a],
            b=issues[b],
            correlation=correlation,
            counts_a=tuple(rows[a].tolist()),
            counts_b=tuple(rows[b].tolist()),
        )
        for a, b, correlation in pairs
    )
