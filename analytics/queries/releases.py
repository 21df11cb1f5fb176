"""What each release did to the number of errors (contract 7.4)."""

from analytics.answers import Ask, ReleaseImpact
from errors.queries.insights import release_figures


def release_impacts(ask: Ask) -> tuple[ReleaseImpact, ...]:
    """The releases that appeared last, newest first, each compared with the one before it of its project.

    All their events count, whatever the window and the environment.
    """
    from analytics.stats import release_impact  # noqa: PLC0415

    return tuple(
        ReleaseImpact(
            project_id=each.project_id,
            project_slug=each.project_slug,
            release=each.release,
            first_seen_ms=each.first_seen_ms,
            error_count=each.error_count,
            unique_fingerprints=each.unique,
            new_fingerprints=each.new,
            error_delta=0 if each.previous_count is None else each.error_count - each.previous_count,
            impact_score=release_impact(
                new_issues=each.new, errors=each.error_count, previous_errors=each.previous_count
            ),
            is_first=each.previous_count is None,
        )
        for each in release_figures(ask.reach, limit=ask.limit)
    )
