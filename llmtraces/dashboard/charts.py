"""Charts of the section: series over the window, or a distribution, as the numbers and llm-chart.js need them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bloop_site.lib.clock import DAY_MS, HOUR_MS
from bloop_site.lib.figures import duration
from bloop_site.templatetags.ui import visible
from llmtraces.queries.latency import Bar
from llmtraces.queries.series import MODELS_SHOWN, Slots
from llmtraces.queries.usage import Usage

OTHER_TONE = MODELS_SHOWN + 1
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

    Along x either the starts of slots (starts_ms) or steps that have words (labels).
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
        return "" if self.labels or self.is_empty else slots_words(self.starts_ms[0], self.step_ms, len(self.starts_ms))

    @property
    def total(self) -> float | None:
        """Of all series together; None of lines, which do not add up."""
        return sum(each.total for each in self.series) if self.kind == "bars" else None

    @property
    def data(self) -> dict[str, Any]:
        """What llm-chart.js draws from."""
        return {
            "kind": self.kind,
            "unit": self.unit,
            "times": self.starts_ms,
            "step": self.step_ms,
            "labels": self.labels,
            "edges": self.edges,
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


def by_model(
    name: str, title: str, slots: Slots, found: Mapping[str, Sequence[Usage]], leading: Sequence[str], *, cost: bool
) -> Chart:
    """Tokens or cost stacked by model, each in the colour of its rank; the rest, "", as other."""
    value: Callable[[Usage], int] = (lambda usage: usage.cost_micros) if cost else (lambda usage: usage.total_tokens)
    return Chart(
        name=name,
        title=title,
        kind="bars",
        unit="money" if cost else "count",
        series=tuple(
            Series(model or "Other", tone_of(model, leading), tuple(value(usage) for usage in usages))
            for model, usages in found.items()
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
