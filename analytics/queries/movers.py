"""Issues whose events changed most from the window before to this one (contract 7.2)."""

from analytics.answers import Ask, Mover
from analytics.queries.naming import ranked
from errors.queries.insights import last_hours


def movers(ask: Ask) -> tuple[Mover, ...]:
    """The issues with events in either window, by how far their number of events moved, up or down."""
    import numpy as np  # noqa: PLC0415

    from analytics.series import halves  # noqa: PLC0415
    from analytics.stats import relative_change  # noqa: PLC0415
    from errors.queries.packed import hour_counts  # noqa: PLC0415

    both = last_hours(hours=2 * ask.hours, now_ms=ask.last_ms)
    found = hour_counts(ask.reach, both, environment=ask.environment)
    previous, current = halves(found.counts)
    delta, percent = current - previous, relative_change(current, previous)
    return tuple(
        Mover(
            issue=issue,
            count_current=int(current[at]),
            count_previous=int(previous[at]),
            delta=int(delta[at]),
            delta_pct=float(percent[at]),
            counts=tuple(found.counts[at].tolist()),
        )
        for at, issue in ranked(np.abs(delta), found.issue_ids, limit=ask.limit)
    )
