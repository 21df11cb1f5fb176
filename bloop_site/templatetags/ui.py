"""What templates draw with: icons, short numbers, times, small charts, status words, text from clients."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from bloop_site.lib import clock, figures, linked

register = template.Library()

NO_BREAK_SPACE = "\u00a0"
EN_DASH = "\u2013"

# --- Icons --------------------------------------------------------------------------------------------------

# Strokes on a 16 x 16 grid, drawn for Bloop. `currentColor` and the width come from the style sheet (.icon).
ICONS = {
    "alerts": '<path d="M8 2a4 4 0 0 0-4 4v3l-1.25 2.5h10.5L12 9V6a4 4 0 0 0-4-4Z"/><path d="M6.75 14h2.5"/>',
    "back": '<path d="M13 8H3M7 4 3 8l4 4"/>',
    "check": '<path d="m3.5 8.5 3 3 6-7"/>',
    "chevron-down": '<path d="m4 6 4 4 4-4"/>',
    "chevron-left": '<path d="m10 4-4 4 4 4"/>',
    "chevron-right": '<path d="m6 4 4 4-4 4"/>',
    "clock": '<circle cx="8" cy="8" r="6"/><path d="M8 4.75V8l2.25 1.5"/>',
    "close": '<path d="m4 4 8 8M12 4l-8 8"/>',
    "copy": '<rect x="5.5" y="5.5" width="8" height="8" rx="1.5"/><path d="M10.5 2.5h-6a2 2 0 0 0-2 2v6"/>',
    "delete": '<path d="M2.75 4.5h10.5M6.5 4.25v-1.5h3v1.5M4.25 4.75 5 13.5h6l.75-8.75"/>',
    "docs": '<path d="M8 4.25C6.5 3 4.5 2.75 2.5 3v9.5c2-.25 4 0 5.5 1.25 1.5-1.25 3.5-1.5 5.5-1.25V3'
    'c-2-.25-4 0-5.5 1.25Zm0 0v9.5"/>',
    "download": '<path d="M8 2.5v7.25M5 7l3 3 3-3M2.75 13.25h10.5"/>',
    "dot": '<circle cx="8" cy="8" r="2.5"/>',
    "down": '<path d="M8 3v10M4 9l4 4 4-4"/>',
    "equal": '<path d="M3.5 6h9M3.5 10h9"/>',
    "errors": '<path d="M8 2.25 14.25 13.25H1.75Z"/><path d="M8 6.5v3M8 11.4v.1"/>',
    "filter": '<path d="M2.5 4h11M4.5 8h7M6.5 12h3"/>',
    "first-seen": '<path d="M8 2v3M8 11v3M2 8h3M11 8h3"/><circle cx="8" cy="8" r="1"/>',
    "ignored": '<circle cx="8" cy="8" r="5.75"/><path d="m4 4 8 8"/>',
    "inbox": '<path d="M2.5 9 4.25 3.5h7.5L13.5 9v3.5h-11Z"/><path d="M2.5 9H6l.75 1.5h2.5L10 9h3.5"/>',
    "insights": '<path d="M2.5 2.5v11h11"/><path d="m5 10 2.5-3 2 1.5L13 4.5"/>',
    "keyboard": '<rect x="1.75" y="4" width="12.5" height="8.5" rx="1.5"/>'
    '<path d="M4.5 7h.1M7 7h.1M9.5 7h.1M11.5 7h.1M5.5 10h5"/>',
    "key": '<circle cx="5.25" cy="10.75" r="2.75"/><path d="m7.25 8.75 6-6M10.5 5.5l2 2"/>',
    "llm": '<path d="M7 2.5 8.35 6.15 12 7.5 8.35 8.85 7 12.5 5.65 8.85 2 7.5 5.65 6.15Z"/>'
    '<path d="M12.5 11v3M11 12.5h3"/>',
    "merge": '<path d="M4 2.5v3.25C4 8 8 8 8 10.5v3M12 2.5v3.25C12 8 8 8 8 10.5"/>',
    "menu": '<path d="M2.5 4.5h11M2.5 8h11M2.5 11.5h11"/>',
    "muted": '<path d="M4 7.5V6a4 4 0 0 1 6.75-2.9M12 6v3l1.25 2.5H5.5"/><path d="M6.75 14h2.5M2.5 13.5l11-11"/>',
    "note": '<path d="M2.5 3h11v8H8l-3 2.5V11H2.5Z"/><path d="M5.25 6h5.5M5.25 8.25h3.5"/>',
    "plus": '<path d="M8 3.5v9M3.5 8h9"/>',
    "project": '<path d="m8 1.75 5.5 3.125v6.25L8 14.25l-5.5-3.125v-6.25Z"/><path d="m2.75 5 5.25 3 5.25-3M8 8v6"/>',
    "regressed": '<path d="M2.75 6.5A5.5 5.5 0 1 1 2.5 8.75"/><path d="M2.5 2.75V6.5h3.75"/>',
    "releases": '<path d="M2.5 2.5h5.25l6 6-5.25 5.25-6-6Z"/><circle cx="5.5" cy="5.5" r=".75"/>',
    "resolved": '<circle cx="8" cy="8" r="5.75"/><path d="m5.5 8.25 1.75 1.75 3.25-3.75"/>',
    "search": '<circle cx="7" cy="7" r="4.5"/><path d="m10.5 10.5 3.25 3.25"/>',
    "settings": '<path d="M2 5h5M11 5h3M2 11h2M8 11h6"/><circle cx="9" cy="5" r="2"/><circle cx="6" cy="11" r="2"/>',
    "sign-out": '<path d="M6.5 2.5h-4v11h4M6.5 8h7.25M11 5.25 13.75 8 11 10.75"/>',
    "tool": '<path d="M9.75 2.6a3.6 3.6 0 0 0-4.2 4.9L2.5 10.55a1.6 1.6 0 0 0 2.95 2.95L8.5 10.45a3.6 3.6 0 0 0 4.9-4.2'
    'l-2.15 2.1-2.3-.6-.6-2.3Z"/>',
    "theme": '<circle cx="8" cy="8" r="5.75"/><path class="icon__fill" d="M8 2.25a5.75 5.75 0 0 1 0 11.5Z"/>',
    "unresolved": '<circle cx="8" cy="8" r="5.75"/><circle class="icon__fill" cx="8" cy="8" r="2"/>',
    "up": '<path d="M8 13V3M4 7l4-4 4 4"/>',
    "upload": '<path d="M8 9.75V2.5M5 5.5l3-3 3 3M2.75 13.25h10.5"/>',
    "user": '<circle cx="8" cy="5.5" r="2.75"/><path d="M2.75 13.75c.75-2.5 2.75-3.75 5.25-3.75s4.5 1.25 5.25 3.75"/>',
    "warning": '<circle cx="8" cy="8" r="5.75"/><path d="M8 5v3.5M8 10.9v.1"/>',
}
STATUS_WORDS = {
    "unresolved": "Unresolved",
    "resolved": "Resolved",
    "ignored": "Ignored",
    "muted": "Muted",
    "regressed": "Regressed",
}


@register.simple_tag
def icon(name: str) -> SafeString:
    """An inline SVG that says nothing by itself: words stand beside it. An unknown name draws a dot."""
    return format_html(
        '<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">{}</svg>',
        mark_safe(ICONS.get(name, ICONS["dot"])),  # noqa: S308 - constants of this module
    )


@register.simple_tag
def status_badge(status: str, *, regressed: bool = False, compact: bool = False) -> SafeString:
    """A status as icon, word and colour; `compact` keeps the word for the ear and on hover only.

    An unresolved issue that came back after it was resolved is called regressed.
    """
    shown = "regressed" if regressed and status == "unresolved" else status
    word = STATUS_WORDS.get(shown, shown)
    tone = shown if shown in STATUS_WORDS else "ignored"
    if compact:
        return format_html(
            '<span class="status status--{} status--compact" title="{}">{}<span class="sr-only">{}</span></span>',
            tone,
            word,
            icon(tone),
            word,
        )
    return format_html('<span class="status status--{}">{}<span>{}</span></span>', tone, icon(tone), word)


# --- Numbers ------------------------------------------------------------------------------------------------

NUMBER_STEPS = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K"))


@register.filter
def thousands(value: float | None) -> str:
    """1234567 -> "1,234,567"; nothing -> an en dash."""
    return EN_DASH if value is None else f"{int(value):,}"


@register.filter
def short_number(value: float | None) -> str:
    """12345 -> "12.3 K", 3100000 -> "3.1 M"; below ten thousand the whole number, because it fits."""
    if value is None:
        return EN_DASH
    number = int(value)
    if abs(number) < 10_000:
        return f"{number:,}"
    for size, unit in NUMBER_STEPS:
        scaled = number / size
        if abs(scaled) >= 0.9995:  # 999,500 is 1 M, not 1,000 K
            digits = 0 if abs(scaled) >= 99.95 else 1
            return f"{scaled:,.{digits}f}".removesuffix(".0") + NO_BREAK_SPACE + unit
    raise AssertionError(value)


@register.filter
def percent(share: float | None) -> str:
    """0.1234 -> "12 %"; what is there but rounds to nothing is "< 1 %", what is almost all is "> 99 %"."""
    if share is None:
        return EN_DASH
    if 0 < share < 0.01:
        return f"<{NO_BREAK_SPACE}1{NO_BREAK_SPACE}%"
    if 0.99 < share < 1:
        return f">{NO_BREAK_SPACE}99{NO_BREAK_SPACE}%"
    return f"{share * 100:.0f}{NO_BREAK_SPACE}%"


def short_and_exact(value: float | None, short: str, exact: str) -> SafeString:
    """A figure short for the eye; the exact one on hover and for the ear."""
    if value is None or short == exact:
        return format_html('<data class="number" value="{}">{}</data>', "" if value is None else value, exact)
    return format_html(
        '<data class="number" value="{}" title="{}"><span aria-hidden="true">{}</span>'
        '<span class="sr-only">{}</span></data>',
        value,
        exact,
        short,
        exact,
    )


@register.simple_tag
def count(value: int) -> SafeString:
    """A number: "12.4 K"."""
    return short_and_exact(value, short_number(value), thousands(value))


register.filter("money", figures.money)
register.filter("duration", figures.duration)


@register.simple_tag
def spend(micros: float | None) -> SafeString:
    """Microdollars: "$3.1 K"."""
    return short_and_exact(micros, figures.money(micros), figures.exact_money(micros))


@register.simple_tag
def took(ms: float | None) -> SafeString:
    """A duration in milliseconds: "1.2 s"."""
    return short_and_exact(ms, figures.duration(ms), figures.exact_duration(ms))


@register.simple_tag
def share_bar(share: float) -> SafeString:
    """A share of one as a small bar; its number stands beside it, so it is silent."""
    width = f"{min(max(share, 0.0), 1.0) * 100:.2f}"
    return format_html(
        '<svg class="share-bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="share-bar__rest" width="100" height="4"/>'
        '<rect class="share-bar__part" width="{}" height="4"/></svg>',
        width,
    )


# --- Times --------------------------------------------------------------------------------------------------

# (limit, size of the unit, unit): an age below the limit is told in that unit. time.js says the same words.
AGES = (
    (clock.HOUR_MS, clock.MINUTE_MS, "min"),
    (clock.DAY_MS, clock.HOUR_MS, "h"),
    (60 * clock.DAY_MS, clock.DAY_MS, "d"),
    (730 * clock.DAY_MS, 30 * clock.DAY_MS, "mo"),
)


def age_words(age_ms: int, *, up: bool = False) -> str | None:
    """An age as "4 min", "3 h", "12 d", "5 mo", "2 y"; nothing below a minute or when it is still to come.

    up: count a part of a unit as one, as countdowns do.
    """
    if age_ms < clock.MINUTE_MS:
        return None
    size, unit = next(((size, unit) for limit, size, unit in AGES if age_ms < limit), (365 * clock.DAY_MS, "y"))
    return f"{-(-age_ms // size) if up else age_ms // size}{NO_BREAK_SPACE}{unit}"


def utc_words(ms: int) -> str:
    """22 Nov 2026, 06:55:17 UTC."""
    at = clock.from_ms(ms)
    return f"{at.day} {at:%b} {at.year}, {at:%H:%M:%S} UTC"


def time_element(ms: int, words: str, *, kind: str) -> SafeString:
    """<time> that time.js can find: kind is "ago", "old", "left", "at" or "hour"."""
    stamp = clock.from_ms(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return format_html('<time datetime="{}" title="{}" data-time="{}">{}</time>', stamp, utc_words(ms), kind, words)


@register.simple_tag
def time_ago(ms: int | None, now_ms: int | None = None) -> SafeString | str:
    """How long ago an instant (epoch ms) was: "4 min ago", the absolute time on hover; none -> an en dash."""
    if ms is None:
        return EN_DASH
    words = age_words((clock.now_ms() if now_ms is None else now_ms) - ms)
    return time_element(ms, f"{words} ago" if words else "just now", kind="ago")


@register.simple_tag
def time_old(ms: int | None, now_ms: int | None = None) -> SafeString | str:
    """The age of something first seen at an instant (epoch ms): "12 d old", "new" in its first minute."""
    if ms is None:
        return EN_DASH
    words = age_words((clock.now_ms() if now_ms is None else now_ms) - ms)
    return time_element(ms, f"{words} old" if words else "new", kind="old")


@register.simple_tag
def time_left(ms: int | None, now_ms: int | None = None) -> SafeString | str:
    """How long until an instant (epoch ms): "6 d left", "ended" when it is past; none -> "never"."""
    if ms is None:
        return "never"
    left = ms - (clock.now_ms() if now_ms is None else now_ms)
    words = f"{age_words(max(left, clock.MINUTE_MS), up=True)} left" if left > 0 else "ended"
    return time_element(ms, words, kind="left")


@register.simple_tag
def absolute_time(ms: int | None) -> SafeString | str:
    """An instant (epoch ms) in UTC, as in tables of history; time.js turns it into local time."""
    return EN_DASH if ms is None else time_element(ms, utc_words(ms), kind="at")


# --- Small charts -------------------------------------------------------------------------------------------

SPARK_HEIGHT = 24
CHART_WIDTH = 720
CHART_HEIGHT = 120


class Hour(Protocol):
    """One hour of a trend."""

    @property
    def hour_ms(self) -> int: ...
    @property
    def count(self) -> int: ...


class Release(Protocol):
    """A release and when it was first seen."""

    @property
    def release(self) -> str: ...
    @property
    def first_seen_ms(self) -> int: ...


class Bar(NamedTuple):
    """A column of a chart in the units of its view box."""

    x: str
    y: str
    height: str
    tone: str


def bars(counts: Sequence[float], *, step: float, height: int, least: float) -> Iterable[Bar]:
    """Columns from the foot, the peak filling the height; an empty hour is a stub: zero, not lost."""
    peak = max(counts, default=0)
    for index, number in enumerate(counts):
        tall = max(number / peak * height, 2 * least) if number > 0 else least
        yield Bar(f"{index * step:g}", f"{height - tall:.2f}", f"{tall:.2f}", "some" if number > 0 else "none")


def plural(number: int, one: str) -> str:
    return f"{thousands(number)} {one}" + ("" if number == 1 else "s")


@register.simple_tag
def sparkline(hourly: Sequence[int], hours_each: int = 1) -> SafeString:
    """The last hours, oldest first, as columns of 4 px with their total and peak in words.

    hours_each: how many hours a column holds.
    """
    numbers = [max(0, number) for number in hourly]
    span = len(numbers) * hours_each
    span_words = plural(span // 24, "day") if hours_each > 1 else plural(span, "hour")
    words = f"No events in {span_words}"
    if any(numbers):
        each = "one hour" if hours_each == 1 else plural(hours_each, "hour")
        words = f"{plural(sum(numbers), 'event')} in {span_words}, at most {thousands(max(numbers))} in {each}"
    # Joined by hand: a page has fifty of these, and format_html_join was 40 % of its time escaping our own numbers.
    columns = mark_safe(  # noqa: S308
        "".join(
            f'<rect class="spark__{bar.tone}" x="{bar.x}" y="{bar.y}" width="3" height="{bar.height}"/>'
            for bar in bars(numbers, step=4, height=SPARK_HEIGHT, least=1)
        )
    )
    return format_html(
        '<svg class="spark" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">'
        "<title>{}</title>{}</svg>",
        max(1, len(numbers)) * 4,
        SPARK_HEIGHT,
        max(1, len(numbers)) * 4,
        SPARK_HEIGHT,
        words,
        words,
        columns,
    )


@register.simple_tag
def hour_chart(hours: Sequence[Hour], releases: Sequence[Release] = ()) -> SafeString:
    """A trend as one column an hour, drawn by the server; chart.js puts a livelier one in its place.

    hours: dense, oldest first. releases: marked by a line where they fall into those hours.
    """
    numbers = [hour.count for hour in hours]
    if not any(numbers):
        words = f"No events in {plural(len(numbers), 'hour')}"
    else:
        busiest = max(hours, key=lambda hour: hour.count)
        words = (
            f"{plural(sum(numbers), 'event')} in {plural(len(numbers), 'hour')}; "
            f"most, {thousands(busiest.count)}, in the hour from {utc_words(busiest.hour_ms)}"
        )
    step = CHART_WIDTH / max(1, len(numbers))
    columns = format_html_join(
        "",
        '<rect class="hour-chart__{}" x="{}" y="{}" width="{}" height="{}"/>',
        (
            (bar.tone, bar.x, bar.y, f"{step * 0.75:g}", bar.height)
            for bar in bars(numbers, step=step, height=CHART_HEIGHT, least=0.5)
        ),
    )
    return format_html(
        '<svg class="hour-chart" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}{}</svg>',
        CHART_WIDTH,
        CHART_HEIGHT,
        words,
        columns,
        release_marks(hours, releases, step=step),
    )


def release_marks(hours: Sequence[Hour], releases: Sequence[Release], *, step: float) -> SafeString:
    """A thin line where each release appeared, for those inside the hours shown."""
    if not hours:
        return SafeString()
    start = hours[0].hour_ms
    end = start + len(hours) * clock.HOUR_MS
    return format_html_join(
        "",
        '<line class="hour-chart__release" x1="{}" x2="{}" y1="0" y2="{}"><title>{}</title></line>',
        (
            (x, x, CHART_HEIGHT, f"Release {visible(release.release)}")
            for release in releases
            if start <= release.first_seen_ms < end
            for x in [f"{(release.first_seen_ms - start) / clock.HOUR_MS * step:.2f}"]
        ),
    )


# --- Text from clients --------------------------------------------------------------------------------------

# Control characters as their pictures (U+2400 and on), and the marks that turn or hide text spelled out: a
# message must not be able to look like another one. Tabs and line ends stay.
PICTURES: dict[int, str | int | None] = {
    **{code: 0x2400 + code for code in range(0x20) if code not in {0x09, 0x0A, 0x0D}},
    0x7F: 0x2421,
    **{code: f"\\x{code:02x}" for code in range(0x80, 0xA0)},
    **{
        code: f"\\u{code:04x}"
        for code in (0x061C, 0x200B, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF)
    },
}


@register.filter
def visible(value: object) -> str:
    """Text from a client, its control and direction characters made visible. The template escapes it."""
    return str(value).translate(PICTURES)


@register.simple_tag
def marked(pieces: Iterable[tuple[str, bool]]) -> SafeString:
    """Pieces of text from a client, each with whether a search hit it, made `visible`; the hits as <mark>."""
    shown = (format_html("<mark>{}</mark>" if hit else "{}", visible(text)) for text, hit in pieces)
    return format_html_join("", "{}", ((piece,) for piece in shown))


@register.filter
def with_links(value: object) -> list[linked.Piece]:
    """What a person wrote, cut into pieces of text (url: "") and web addresses, for a template to write as such."""
    return linked.pieces_of(str(value))


@register.filter
def release_span(releases: Sequence[str]) -> str:
    """Newest first ["1.4", "1.3", "1.2"] -> "1.2 to 1.4" (a dash); none, empty or unknown -> "no release"."""
    named = [release for release in releases if release not in {"", "unknown"}]
    if not named:
        return "no release"
    if named[0] == named[-1]:
        return named[0]
    return f"{named[-1]} {EN_DASH} {named[0]}"


@register.filter
def first_and_more(values: Sequence[str]) -> str:
    """["production", "staging", "qa"] -> "production +2"."""
    if not values:
        return ""
    return values[0] if len(values) == 1 else f"{values[0]} +{len(values) - 1}"


@register.filter
def comma_list(values: Sequence[str]) -> str:
    """["production", "qa"] -> "production, qa". Django's `join` escapes too early for `visible`."""
    return ", ".join(values)
