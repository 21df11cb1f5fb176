"""Where errors happen: the share of each environment, and how its hours vary (contract 7.5)."""

from analytics.answers import Ask, Environments, EnvironmentShare
from errors.queries import insights
from errors.queries.insights import environment_hours, last_hours

PERCENTS = (50.0, 90.0, 99.0)


def environments(ask: Ask) -> Environments:
    """Every environment with events in the window, or the one asked for, the one with the most events first."""
    from analytics.series import dense_by_name  # noqa: PLC0415
    from analytics.stats import busy_percentiles  # noqa: PLC0415
    from errors.queries.packed import issues_by_environment  # noqa: PLC0415

    window = last_hours(hours=ask.hours, now_ms=ask.last_ms)
    rows = environment_hours(ask.reach, window, environment=ask.environment)
    unique = issues_by_environment(ask.reach, window, environment=ask.environment)
    series = dense_by_name(rows, start_ms=window.start_ms, hours=window.hours)
    total = sum(int(counts.sum()) for counts in series.values())
    shares = []
    for name, counts in series.items():
        p50, p90, p99 = busy_percentiles(counts, PERCENTS)
        count = int(counts.sum())
        shares.append(
            EnvironmentShare(
                environment=name,
                total_count=count,
                unique_errors=unique.get(name, 0),
                pct_of_total=count * 100.0 / total,
                p50_hourly=p50,
                p90_hourly=p90,
                p99_hourly=p99,
                counts=tuple(counts.tolist()),
            )
        )
    shares.sort(key=lambda share: (-share.total_count, share.environment))
    return Environments(tuple(shares), total)


def environment_totals(ask: Ask) -> dict[str, int]:
    """The events of every environment in the window, the most first: what one chooses from. Whichever is asked for."""
    return insights.environment_totals(ask.reach, last_hours(hours=ask.hours, now_ms=ask.last_ms))
