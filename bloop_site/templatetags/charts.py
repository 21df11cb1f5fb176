"""Charts of several series as the server draws them, before series-chart.js puts livelier ones in their place."""

from collections.abc import Callable, Sequence
from typing import Protocol

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from bloop_site.lib import figures
from bloop_site.lib.clock import from_ms
from bloop_site.templatetags.ui import (
    CHART_HEIGHT,
    CHART_WIDTH,
    SPARK_HEIGHT,
    bars,
    short_and_exact,
    short_number,
    thousands,
    time_element,
    visible,
)

register = template.Library()

SPARK_WIDTH = 112
# How each unit is told, short and exactly.
UNITS: dict[str, tuple[Callable[[float | None], str], Callable[[float | None], str]]] = {
    "count": (short_number, thousands),
    "money": (figures.money, figures.exact_money),
    "duration": (figures.duration, figures.exact_duration),
    "percent": (figures.percents, figures.percents),
}


class Series(Protocol):
    """One colour of a chart, 1 to 8."""

    @property
    def label(self) -> str: ...
    @property
    def tone(self) -> int: ...
    @property
    def values(self) -> Sequence[float]: ...


class Chart(Protocol):
    """kind: "bars", stacked, or "lines"; unit: a key of UNITS; title: what it shows."""

    @property
    def title(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def series(self) -> Sequence[Series]: ...
    @property
    def painted(self) -> Sequence[Series]: ...


@register.simple_tag
def figure(value: float | None, unit: str) -> SafeString:
    """A number of a unit, short for the eye, exact on hover and for the ear."""
    short, exact = UNITS[unit]
    return short_and_exact(value, short(value), exact(value))


@register.simple_tag
def brief(value: float | None, unit: str) -> str:
    """A number of a unit, short, as plain text."""
    return UNITS[unit][0](value)


@register.simple_tag
def hour_time(ms: int) -> SafeString:
    """The start or end of an hour (epoch ms), short, as on a chip: "28 Nov, 10:00 UTC"; time.js makes it local."""
    return time_element(ms, f"{from_ms(ms):%-d %b, %H:%M} UTC", kind="hour")


@register.simple_tag
def spark(values: Sequence[float]) -> SafeString:
    """The slots of a window as columns. Silent: the figure above it and the chart below say it in numbers."""
    step = SPARK_WIDTH / max(1, len(values))
    drawn = "".join(
        f'<rect class="spark__{bar.tone}" x="{bar.x}" y="{bar.y}" width="{step * 0.75:.2f}" height="{bar.height}"/>'
        for bar in bars(values, step=step, height=SPARK_HEIGHT, least=1)
    )
    return format_html(
        '<svg class="spark series-spark" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true">{}</svg>',
        SPARK_WIDTH,
        SPARK_HEIGHT,
        mark_safe(drawn),  # noqa: S308 - our own numbers
    )


@register.simple_tag
def series_chart(chart: Chart) -> SafeString:
    """The chart as an SVG that says in words what it shows and what each series comes to."""
    drawn = stacked(chart.painted) if chart.kind == "bars" else lines(chart.series)
    return format_html(
        '<svg class="series-chart" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>',
        CHART_WIDTH,
        CHART_HEIGHT,
        f"{chart.title}. {words_of(chart)}",
        drawn,
    )


def words_of(chart: Chart) -> str:
    """Each series with its total or, of lines, its peak."""
    short = UNITS[chart.unit][0]
    told = sum if chart.kind == "bars" else max
    each = ", ".join(f"{visible(series.label)} {short(told(series.values))}" for series in chart.series)
    return f"In all: {each}" if chart.kind == "bars" else f"At most: {each}"


def stacked(series: Sequence[Series]) -> SafeString:
    """Columns, the first series at the foot."""
    columns = list(zip(*(each.values for each in series), strict=True))
    peak = max((sum(column) for column in columns), default=0) or 1
    step, pieces = CHART_WIDTH / max(1, len(columns)), []
    for index, column in enumerate(columns):
        foot = float(CHART_HEIGHT)
        for each, value in zip(series, column, strict=True):
            height = value / peak * CHART_HEIGHT
            foot -= height
            if value > 0:
                pieces.append((each.tone, f"{index * step:.2f}", f"{foot:.2f}", f"{step * 0.75:.2f}", f"{height:.2f}"))
    return format_html_join("", '<rect class="tone-{}" x="{}" y="{}" width="{}" height="{}"/>', pieces)


def lines(series: Sequence[Series]) -> SafeString:
    """A line for each series, over the middles of the slots."""
    peak = max((value for each in series for value in each.values), default=0) or 1
    drawn = []
    for each in series:
        step = CHART_WIDTH / max(1, len(each.values))
        points = (
            f"{(index + 0.5) * step:.2f},{CHART_HEIGHT * (1 - v / peak):.2f}" for index, v in enumerate(each.values)
        )
        drawn.append((each.tone, " ".join(points)))
    return format_html_join("", '<polyline class="tone-{}" points="{}"/>', drawn)
