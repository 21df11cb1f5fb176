"""Small charts of the rows of Insights, drawn by the server. Their numbers are a click away."""

from collections.abc import Sequence

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from bloop_site.lib import clock
from bloop_site.templatetags.ui import plural, thousands, time_element

register = template.Library()

WIDTH, HEIGHT = 240, 32
MOST_COLUMNS = 120
GAP = 0.25  # of a column


@register.filter
def score(value: float) -> str:
    """A threshold or a number of events an hour: 5.81 -> "5.8", 12.0 -> "12", 1234.5 -> "1,234", 0.01 -> "< 0.1"."""
    if 0 < value < 0.05:
        return "<\u00a00.1"
    text = f"{value:,.1f}" if abs(value) < 100 else f"{value:,.0f}"
    return text.removesuffix(".0")


@register.filter
def correlation(value: float) -> str:
    """Pearson's r with two digits; only what is 1 is "1.00"."""
    return f"{min(value, 0.99) if value < 1 else value:.2f}"


@register.filter
def bar_width(share: float) -> str:
    """A part of one as percents of a bar's length; a little of it can always be seen."""
    return f"{min(max(share, 0.02), 1.0) * 100:.2f}"


@register.simple_tag
def hour_time(ms: int) -> SafeString:
    """The start of an hour (epoch ms): "29 Nov, 13:00 UTC"; time.js turns it into local time."""
    at = clock.from_ms(ms)
    return time_element(ms, f"{at.day} {at:%b}, {at:%H:%M} UTC", kind="hour")


@register.simple_tag
def focused_hours(counts: Sequence[int], first: int, end: int, tone: str) -> SafeString:
    """Hours as columns, those from `first` up to `end` in the colour `tone`, the others grey.

    More hours than there is room for are drawn as groups: each column is the busiest hour of its group.
    """
    size = -(-len(counts) // MOST_COLUMNS) or 1
    columns = [max(counts[at : at + size]) for at in range(0, len(counts), size)]
    step, peak = WIDTH / max(1, len(columns)), max(columns, default=0) or 1
    quiet: list[str] = []
    marked: list[str] = []
    for index, count in enumerate(columns):
        tall = max(count / peak * HEIGHT, 2) if count else 0.5
        path = f"M{index * step:.5g} {HEIGHT}v-{tall:.4g}h{step * (1 - GAP):.4g}v{tall:.4g}z"
        (marked if index * size < end and first < (index + 1) * size else quiet).append(path)
    return drawing(
        mark_safe(  # noqa: S308 - our own numbers
            f'<path class="insight-chart__rest" d="{"".join(quiet)}"/>'
            f'<path class="insight-chart__{tone}" d="{"".join(marked)}"/>'
        ),
        f"{plural(sum(counts), 'event')} in {plural(len(counts), 'hour')}, at most {thousands(max(counts, default=0))}",
    )


@register.simple_tag
def overlaid(a: Sequence[int], b: Sequence[int], words: str) -> SafeString:
    """Two curves over the same hours, each as tall as its own busiest hour."""
    return drawing(
        format_html('<polyline class="tone-1" points="{}"/><polyline class="tone-2" points="{}"/>', line(a), line(b)),
        words,
    )


def line(counts: Sequence[int]) -> str:
    """The points of a curve through the middles of the columns."""
    size = -(-len(counts) // MOST_COLUMNS) or 1
    columns = [max(counts[at : at + size]) for at in range(0, len(counts), size)]
    step, peak = WIDTH / max(1, len(columns)), max(columns, default=0) or 1
    return " ".join(
        f"{(index + 0.5) * step:.5g},{1 + (HEIGHT - 2) * (1 - count / peak):.4g}" for index, count in enumerate(columns)
    )


def drawing(pieces: SafeString, words: str) -> SafeString:
    """The SVG, saying in words what it shows."""
    return format_html(
        '<svg class="insight-chart" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        "<title>{}</title>{}</svg>",
        WIDTH,
        HEIGHT,
        words,
        words,
        pieces,
    )
