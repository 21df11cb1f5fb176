"""The window as a line of slots of equal length, and what was used in each: sparklines and charts.

A slot is an hour, six hours (beyond two days) or a UTC day (beyond eight): a chart has at most 49 of them.
"""

from collections import defaultdict
from dataclasses import dataclass

from django.db.models import F, Sum
from django.db.models.expressions import CombinedExpression

from bloop_site.lib.clock import DAY_MS, HOUR_MS
from llmtraces.models import TraceHour, UsageHour
from llmtraces.queries.usage import NOTHING, SUMS, Usage, usage_of
from llmtraces.queries.window import Window

MODELS_SHOWN = 7  # with a colour of their own; the eighth is for all others
STEPS = ((48, HOUR_MS), (191, 6 * HOUR_MS))  # (the longest window in hours, the slot's length)


@dataclass(frozen=True)
class Slots:
    """Starts of slots, oldest first. The first and the last may lie partly outside the window."""

    step_ms: int
    starts_ms: tuple[int, ...]


def slots_of(window: Window) -> Slots:
    """The slots that hold the window, without a gap."""
    step = next((step for hours, step in STEPS if window.hours <= hours), DAY_MS)
    first = window.since_ms // step * step
    return Slots(step, tuple(range(first, window.until_ms, step)))


def slot_of(slots: Slots) -> CombinedExpression:
    """The start of the slot of a rollup row, reckoned by the database."""
    return F("hour_ms") - F("hour_ms") % slots.step_ms


def usage_over_time(window: Window) -> list[Usage]:
    """What was used in each slot; nothing where nothing was. One query."""
    slots = slots_of(window)
    rows = window.of_model(UsageHour.objects.all()).values(slot_ms=slot_of(slots)).annotate(**SUMS)
    found = {row["slot_ms"]: usage_of(row) for row in rows.order_by()}
    return [found.get(at, Usage()) for at in slots.starts_ms]


def traces_over_time(window: Window) -> list[int]:
    """How many traces began in each slot. Traces have no model: a named one narrows nothing. One query."""
    slots = slots_of(window)
    rows = window.hourly(TraceHour.objects.all()).values(slot_ms=slot_of(slots))
    found = dict(rows.annotate(total=Sum("trace_count")).order_by().values_list("slot_ms", "total"))
    return [found.get(at, 0) for at in slots.starts_ms]


def leading_models(window: Window) -> list[str]:
    """The models with a colour of their own, the dearest first, whichever model or provider is chosen. One query.

    A colour means one model on every tab that shows the same projects and window.
    """
    rows = window.hourly(UsageHour.objects.exclude(model="")).values("model")
    summed = rows.annotate(cost=Sum("cost_micros"), spans=Sum("span_count"))
    ordered = summed.exclude(cost=0, spans=0).order_by("-cost", "-spans", "model")
    return [row["model"] for row in ordered[:MODELS_SHOWN]]


def models_over_time(window: Window, *, leading: list[str]) -> dict[str, list[Usage]]:
    """What each leading model used in each slot, and under "" all others; only who used something. One query."""
    slots = slots_of(window)
    rows = window.of_model(UsageHour.objects.all()).values("model", slot_ms=slot_of(slots)).annotate(**SUMS)
    found: defaultdict[str, defaultdict[int, Usage]] = defaultdict(lambda: defaultdict(Usage))
    for row in rows.exclude(**NOTHING).order_by():
        of_model = found[row["model"] if row["model"] in leading else ""]
        of_model[row["slot_ms"]] = of_model[row["slot_ms"]].plus(usage_of(row))
    return {model: [found[model][at] for at in slots.starts_ms] for model in [*leading, ""] if model in found}
