"""What the last days would have given LLM rules to measure, by the hour: for the preview of a rule."""

from collections import Counter, defaultdict
from collections.abc import Collection

from django.db.models import Sum

from bloop_site.lib.clock import hour_of
from llmtraces.models import Durations, LlmSettings, UsageHour
from llmtraces.packing import unpacked
from llmtraces.queries.alerting import COLUMNS, Used

Hours = dict[int, Used]  # by the start of the hour


def busiest_projects(project_ids: Collection[str], *, since_ms: int, limit: int) -> list[str]:
    """The projects with the most spans since then, at most `limit`. One query."""
    rows = UsageHour.objects.filter(project_id__in=project_ids, hour_ms__gte=hour_of(since_ms))
    summed = rows.values("project_id").annotate(total=Sum("span_count")).order_by("-total", "project_id")
    return [row["project_id"] for row in summed[:limit]]


def usage_by_hour(project_ids: Collection[str], *, since_ms: int, now_ms: int, model: str | None) -> dict[str, Hours]:
    """What each project used in each hour since then. One query."""
    rows = UsageHour.objects.filter(
        project_id__in=project_ids, hour_ms__gte=hour_of(since_ms), hour_ms__lte=hour_of(now_ms)
    )
    if model is not None:
        rows = rows.filter(model=model)
    found: defaultdict[str, Hours] = defaultdict(dict)
    sums = rows.values_list("project_id", "hour_ms").annotate(*(Sum(name) for name in COLUMNS))
    for project_id, hour_ms, *amounts in sums.order_by():
        found[project_id][hour_ms] = Used(*amounts)
    return found


def latencies_by_hour(project_id: str, *, since_ms: int, now_ms: int, model: str | None) -> dict[int, Counter[int]]:
    """Latencies of a project's generation spans in each hour since then, by bucket. One query."""
    rows = Durations.objects.filter(
        project_id=project_id,
        kind="latency",
        is_day=False,
        hour_ms__gte=hour_of(since_ms),
        hour_ms__lte=hour_of(now_ms),
    )
    if model is not None:
        rows = rows.filter(of=model)
    found: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for hour_ms, stored in rows.values_list("hour_ms", "counts"):
        found[hour_ms].update(unpacked(stored))
    return found


def budgets_set(project_ids: Collection[str]) -> dict[str, tuple[int, int]]:
    """The budgets as they are now: microdollars a month, and the percentage from which people want to know."""
    rows = LlmSettings.objects.filter(project_id__in=project_ids, monthly_budget_micros__gt=0)
    return {
        pk: (micros, pct)
        for pk, micros, pct in rows.values_list("project_id", "monthly_budget_micros", "alert_threshold_pct")
    }
