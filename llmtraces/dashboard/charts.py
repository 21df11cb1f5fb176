"""Charts of the section: series over the window, or a distribution."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from bloop_site.lib.charts import Chart, Series
from bloop_site.lib.figures import duration
from llmtraces.queries.latency import Bar
from llmtraces.queries.series import MODELS_SHOWN, Slots
from llmtraces.queries.usage import Usage

OTHER_TONE = MODELS_SHOWN + 1


def by_model(
    name: str, title: str, slots: Slots, found: Mapping[str, Sequence[Usage]], leading: Sequence[str], *, cost: bool
) -> Chart:
    """Tokens or cost stacked by model, each in the colour of its rank; the rest, "", as other; none without any."""
    value: Callable[[Usage], int] = (lambda usage: usage.cost_micros) if cost else (lambda usage: usage.total_tokens)
    return Chart(
        name=name,
        title=title,
        kind="bars",
        unit="money" if cost else "count",
        series=tuple(
            Series(model or "Other", tone_of(model, leading), tuple(value(usage) for usage in usages))
            for model, usages in found.items()
            if any(value(usage) for usage in usages)
        ),
        step_ms=slots.step_ms,
        starts_ms=slots.starts_ms,
    )


def tone_of(model: str, leading: Sequence[str]) -> int:
    """The colour of a model: its rank among the leading ones, else the one of all others."""
    return leading.index(model) + 1 if model in leading else OTHER_TONE


def over_time(
    name: str, title: str, slots: Slots, series: Iterable[tuple[str, int, Iterable[float]]], *, kind: str, unit: str
) -> Chart:
    """A chart of the window's slots. series: label, tone and the values of each slot."""
    return Chart(
        name=name,
        title=title,
        kind=kind,
        unit=unit,
        series=tuple(Series(label, tone, tuple(values)) for label, tone, values in series),
        step_ms=slots.step_ms,
        starts_ms=slots.starts_ms,
    )


def of_durations(name: str, title: str, bars: Sequence[Bar]) -> Chart:
    """A distribution of durations: equal steps along x are equal factors of time."""
    return Chart(
        name=name,
        title=title,
        kind="bars",
        unit="count",
        series=(Series("Calls", 2, tuple(bar.count for bar in bars)),),
        labels=tuple(f"{duration(bar.from_ms)} to {duration(bar.to_ms)}" for bar in bars),
        edges=tuple(duration(bar.from_ms) for bar in bars),
    )
