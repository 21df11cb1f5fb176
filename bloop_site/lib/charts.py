"""A chart of several series as the numbers below it, the server's drawing and series-chart.js need it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bloop_site.lib.clock import DAY_MS, HOUR_MS
from bloop_site.templatetags.ui import visible

GREY = 8  # of the tones
STEP_WORDS = {HOUR_MS: "hour", 6 * HOUR_MS: "6 hours", DAY_MS: "day"}


@dataclass(frozen=True)
class Series:
    """One colour of a chart. tone: 1 to 8, a colour of tokens.css."""

    label: str
    tone: int
    values: tuple[float, ...]

    @property
    def total(self) -> float:
        return sum(self.values)


@dataclass(frozen=True)
class Chart:
    """kind: "bars" (stacked) or "lines". unit: "count", "money" (microdollars) or "duration" (milliseconds).

    Along x either the starts of slots (starts_ms) or steps that have words (labels). focus: of one series of bars, the
    first slot in its colour and the first after them, where the others are grey. note: what else the head says.
    is_open: the numbers are shown. can_zoom: its hours can be chosen.
    """

    name: str
    title: str
    kind: str
    unit: str
    series: tuple[Series, ...]
    step_ms: int = 0
    starts_ms: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    edges: tuple[str, ...] = ()
    empty_words: str = "Nothing in this window."
    focus: tuple[int, int] | None = None
    note: str = ""
    is_open: bool = False
    can_zoom: bool = True

    @property
    def is_empty(self) -> bool:
        return not any(value for each in self.series for value in each.values)

    @property
    def step_words(self) -> str:
        """How long a slot is: "hour"."""
        return STEP_WORDS.get(self.step_ms, "")

    @property
    def slots(self) -> str:
        """What chart-zoom.js chooses from: the first slot's start, the length of one, how many; "" where none are."""
        if self.labels or self.is_empty or not self.can_zoom:
            return ""
        return slots_words(self.starts_ms[0], self.step_ms, len(self.starts_ms))

    @property
    def total(self) -> float | None:
        """Of all series together; None of lines, which do not add up."""
        return sum(each.total for each in self.series) if self.kind == "bars" else None

    @property
    def painted(self) -> tuple[Series, ...]:
        """The series by their colours: what lies outside the focus is a series of its own."""
        if self.focus is None:
            return self.series
        (only,), (first, end) = self.series, self.focus
        inside = tuple(value if first <= index < end else 0 for index, value in enumerate(only.values))
        outside = tuple(0 if first <= index < end else value for index, value in enumerate(only.values))
        return (Series(only.label, GREY, outside), Series(only.label, only.tone, inside))

    @property
    def data(self) -> dict[str, Any]:
        """What series-chart.js draws from."""
        return {
            "kind": self.kind,
            "unit": self.unit,
            "times": self.starts_ms,
            "step": self.step_ms,
            "labels": self.labels,
            "edges": self.edges,
            "focus": self.focus,
            "series": [
                {"label": visible(each.label), "tone": each.tone, "values": each.values} for each in self.series
            ],
        }

    @property
    def rows(self) -> list[tuple[int | str, tuple[float, ...]]]:
        """The numbers as a table: the newest slot first, steps with words in their order."""
        heads: Sequence[int | str] = self.labels or self.starts_ms
        rows = list(zip(heads, zip(*(each.values for each in self.series), strict=True), strict=True))
        return rows if self.labels else rows[::-1]


def slots_words(start_ms: int, step_ms: int, count: int) -> str:
    """Slots of equal length as an attribute: "1790000000000 3600000 25"."""
    return f"{start_ms} {step_ms} {count}"
