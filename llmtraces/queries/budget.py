"""What a month may cost, has cost, and will have cost at this pace (contract 8.7)."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Sum

from bloop_site.lib.clock import from_ms, hour_of, to_ms
from llmtraces.models import LlmSettings, UsageHour
from llmtraces.queries.usage import percent
from projects.access import Reach

USUAL_THRESHOLD = 80


@dataclass(frozen=True)
class Budget:
    """A project's UTC calendar month in microdollars; a budget of 0 is none. Percentages have two decimals."""

    monthly_budget_micros: int
    alert_threshold_pct: int
    current_month_spend_micros: int
    days_elapsed: int  # the day of the month: the running one counts
    days_remaining: int

    @property
    def budget_used_pct(self) -> float:
        return percent(self.current_month_spend_micros, self.monthly_budget_micros)

    @property
    def forecast_month_end_micros(self) -> int:
        """What the month will have cost if it goes on like its days so far, half up."""
        days = self.days_elapsed + self.days_remaining
        return (2 * self.current_month_spend_micros * days + self.days_elapsed) // (2 * self.days_elapsed)

    @property
    def forecast_over_budget(self) -> bool:
        return 0 < self.monthly_budget_micros < self.forecast_month_end_micros

    @property
    def is_over_threshold(self) -> bool:
        """Whether so much is spent that somebody wants to know."""
        return bool(self.monthly_budget_micros) and self.budget_used_pct >= self.alert_threshold_pct


def budget_of(project_id: str, *, now_ms: int) -> Budget:
    """The project's budget and this month's spend, in two queries."""
    own = LlmSettings.objects.filter(project_id=project_id)
    row = own.values_list("monthly_budget_micros", "alert_threshold_pct").first()
    budget, threshold = row or (0, USUAL_THRESHOLD)
    return month_of(budget, threshold, spent(Reach((project_id,)), now_ms=now_ms), now_ms=now_ms)


def budgets_of(reach: Reach, *, now_ms: int) -> Budget:
    """The budgets within reach together and what these projects spent: those without a budget are left out. 2 queries.

    The threshold is the lowest of theirs.
    """
    budgeted = LlmSettings.objects.filter(monthly_budget_micros__gt=0, project__removing_at=None)
    if reach.project_ids is not None:
        budgeted = budgeted.filter(project_id__in=reach.project_ids)
    rows = list(budgeted.values_list("project_id", "monthly_budget_micros", "alert_threshold_pct"))
    within = Reach(tuple(project_id for project_id, _, _ in rows))
    threshold = min((pct for _, _, pct in rows), default=USUAL_THRESHOLD)
    return month_of(sum(each for _, each, _ in rows), threshold, spent(within, now_ms=now_ms), now_ms=now_ms)


def spent(reach: Reach, *, now_ms: int) -> int:
    """Microdollars of the hours since the month began."""
    hours = UsageHour.objects.filter(hour_ms__gte=month_start(now_ms), hour_ms__lte=hour_of(now_ms))
    if reach.project_ids is not None:
        hours = hours.filter(project_id__in=reach.project_ids)
    return hours.aggregate(total=Sum("cost_micros"))["total"] or 0


def month_start(now_ms: int) -> int:
    """When the UTC month began, in epoch milliseconds."""
    now = from_ms(now_ms)
    return to_ms(datetime(now.year, now.month, 1, tzinfo=UTC))


def month_of(budget_micros: int, threshold_pct: int, spent_micros: int, *, now_ms: int) -> Budget:
    """The month that runs now."""
    now = from_ms(now_ms)
    return Budget(budget_micros, threshold_pct, spent_micros, now.day, monthrange(now.year, now.month)[1] - now.day)
