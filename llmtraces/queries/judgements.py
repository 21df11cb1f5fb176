"""Scores and feedback: of one trace, of a window by name, newest and worst (contract 8.6).

What a window adds up to is read from sums. These say where in it a page of a list stands, so that only rows about there
are looked at.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

from django.db.models import F, Max, Min, Model, QuerySet, Sum

from bloop_site.lib.clock import DAY_MS, HOUR_MS
from bloop_site.lib.db import Unindexed
from llmtraces.judging import rank_of
from llmtraces.models import Feedback, FeedbackHour, Score, ScoreSums
from llmtraces.packing import unpacked
from llmtraces.places import NANOS, bounds_of, is_exact
from llmtraces.queries.durations import parts_of
from llmtraces.queries.usage import percent
from llmtraces.queries.window import Window, in_reach

MAX_OF_TRACE = 1_000  # of each kind: clients choose names and users, so nobody knows how many there are
MAX_NAMES = 200
BOUNDS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
FIFTHS = tuple(f"{low}-{high}" for low, high in pairwise(BOUNDS))
PERCENTS = (10, 50, 90)
MANY = 2_000  # scores of a window: from here on the worst are found by their value, not by their time
FIFTH_SUMS: dict[str, Any] = {f"of_fifth{at}": Sum(f"fifth{at}") for at in range(1, len(FIFTHS) + 1)}
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class ScoreRow:
    """A score of a trace. value: 0 to 1."""

    trace_id: str
    project_slug: str
    project_name: str
    trace_name: str
    name: str
    value: float
    source: str
    comment: str | None
    created_ms: int


@dataclass(frozen=True)
class FeedbackRow:
    """A person's thumb on a trace. value: 1 (up) or -1 (down)."""

    trace_id: str
    project_slug: str
    project_name: str
    trace_name: str
    user_id: str
    value: int
    comment: str | None
    created_ms: int


@dataclass(frozen=True)
class Judgements:
    """What was said of one trace, the newest first."""

    scores: list[ScoreRow]
    feedback: list[FeedbackRow]


@dataclass(frozen=True)
class ScoreCard:
    """The scores of one name in a window. distribution: how many lie in each fifth of FIFTHS."""

    name: str
    count: int = 0
    average: float = 0.0
    lowest: float = 0.0
    highest: float = 0.0
    distribution: tuple[int, ...] = (0,) * len(FIFTHS)


@dataclass(frozen=True)
class Thumbs:
    """Feedback counted. since_ms: from when, where it is one of a series."""

    positive: int = 0
    negative: int = 0
    since_ms: int = 0

    @property
    def total(self) -> int:
        return self.positive + self.negative

    def of(self, value: int | None) -> int:
        """How many are up (1), down (-1) or either (None)."""
        return self.total if value is None else self.positive if value == 1 else self.negative

    @property
    def positive_rate(self) -> float:
        """Percent; 0 for none."""
        return percent(self.positive, self.total)


# --- One trace --------------------------------------------------------------------------------------------------------


def judgements_of(trace_pk: int) -> Judgements:
    """The scores and feedback of a trace, in two queries."""
    return Judgements(
        scores_in(Score.objects.filter(trace=trace_pk)), feedback_in(Feedback.objects.filter(trace=trace_pk))
    )


def scores_in(rows: QuerySet[Score]) -> list[ScoreRow]:
    """The newest of these scores."""
    return score_rows(rows.order_by("-created_ms", "-id")[:MAX_OF_TRACE])


def feedback_in(rows: QuerySet[Feedback]) -> list[FeedbackRow]:
    """The newest of this feedback."""
    return feedback_rows(rows.order_by("-created_ms", "-id")[:MAX_OF_TRACE])


def scores_of(project_id: str, trace_id: str) -> list[ScoreRow]:
    """The scores of a trace by its id, the newest first; none for a trace that is not there."""
    return scores_in(Score.objects.filter(trace__project_id=project_id, trace__trace_id=trace_id))


def feedback_of(project_id: str, trace_id: str) -> list[FeedbackRow]:
    """The feedback on a trace by its id, the newest first; none for a trace that is not there."""
    return feedback_in(Feedback.objects.filter(trace__project_id=project_id, trace__trace_id=trace_id))


TRACE = ("trace__trace_id", "project__slug", "project__name", "trace__name")


def score_rows(rows: QuerySet[Score]) -> list[ScoreRow]:
    """The rows with what they are about, in their order."""
    return [ScoreRow(*row) for row in rows.values_list(*TRACE, "name", "value", "source", "comment", "created_ms")]


def feedback_rows(rows: QuerySet[Feedback]) -> list[FeedbackRow]:
    """The rows with what they are about, in their order."""
    return [FeedbackRow(*row) for row in rows.values_list(*TRACE, "user_id", "value", "comment", "created_ms")]


# --- Where a page of a list stands ------------------------------------------------------------------------------------


class Step(NamedTuple):
    """How many rows of a list come one after the other there. at: a time or a place, by which the list is ordered."""

    at: int
    size: int


class Stretch(NamedTuple):
    """The steps that hold a page: the first and the last of them, and how many rows of these come before the page."""

    first: int
    last: int
    offset: int


def stretch_of(steps: Iterable[Step], *, offset: int, limit: int) -> Stretch | None:
    """Which of the steps, in the order of the list, hold its rows from `offset` on; None when there are none."""
    seen, first, before, last = 0, None, 0, 0
    for at, size in steps:
        if first is None and seen + size > offset:
            first, before = at, seen
        seen, last = seen + size, at
        if seen >= offset + limit:
            break
    return None if first is None else Stretch(first, last, offset - before)


# --- Scores of a window -----------------------------------------------------------------------------------------------


def score_cards(window: Window, *, name: str = "") -> list[ScoreCard]:
    """The scores of the window by name, the most frequent first; one query. name: only this one."""
    sums = window.own(ScoreSums.objects.filter(parts_of(window, DAY_MS)))
    sums = sums.filter(name=name) if name else sums
    totals: dict[str, Any] = {"total": Sum("total_nanos"), "least": Min("lowest"), "most": Max("highest")}
    rows = sums.values("name").annotate(**totals, **FIFTH_SUMS).order_by()
    return sorted(map(card_from, rows), key=lambda card: (-card.count, card.name))[:MAX_NAMES]


def card_from(row: Mapping[str, Any]) -> ScoreCard:
    """One name's card of its sums."""
    distribution = tuple(row[fifth] for fifth in FIFTH_SUMS)
    count = sum(distribution)
    average = round(row["total"] / NANOS / count, 6)
    return ScoreCard(row["name"], count, average, row["least"], row["most"], distribution)


def card_of(window: Window, name: str, cards: Sequence[ScoreCard]) -> ScoreCard:
    """The card of one name: among those read already, else asked for if there may be more; empty if there is none."""
    found = next((card for card in cards if card.name == name), None)
    if found is None and len(cards) == MAX_NAMES:
        found = next(iter(score_cards(window, name=name)), None)
    return found or ScoreCard(name)


@dataclass(frozen=True)
class Spread:
    """How the scores of one name lie in a window: at which places, the lowest first; and when, the newest first.

    long_ms: how long each step of the times is, by its start.
    """

    places: list[Step]
    times: list[Step]
    long_ms: dict[int, int]

    @property
    def count(self) -> int:
        return sum(step.size for step in self.places)


def score_spread(window: Window, name: str) -> Spread:
    """Read in one query."""
    sums = window.own(ScoreSums.objects.filter(parts_of(window, DAY_MS), name=name))
    places, times, long_ms = Counter[int](), Counter[int](), dict[int, int]()
    for start_ms, is_day, stored in sums.values_list("hour_ms", "is_day", "counts"):
        counts = unpacked(stored)
        places.update(counts)
        times[start_ms] += sum(counts.values())
        long_ms[start_ms] = DAY_MS if is_day else HOUR_MS
    newest_first = sorted(times.items(), reverse=True)
    return Spread([Step(*each) for each in sorted(places.items())], [Step(*each) for each in newest_first], long_ms)


def score_percentiles(window: Window, name: str) -> dict[int, float]:
    """The values at PERCENTS of one name's scores (contract 8.6's rule); 0 when there are none.

    The spread says at which places they are; only of a place with several values the score itself is looked up.
    """
    spread = score_spread(window, name)
    found = {}
    for percentage in PERCENTS:
        stands = stretch_of(spread.places, offset=rank_of(percentage, spread.count), limit=1)
        found[percentage] = value_at(window, name, spread, stands) if stands else 0.0
    return found


def value_at(window: Window, name: str, spread: Spread, stands: Stretch) -> float:
    """The value of the score that stands there among its place's; in one query, if all of the place do not share it."""
    low, high = bounds_of(stands.first)
    if is_exact(stands.first):
        return low
    rows = scores_at(window, name, spread, stands).order_by("value").values_list("value", flat=True)
    return next(iter(rows[stands.offset : stands.offset + 1]), (low + high) / 2)  # none: it has just been replaced


def scores_at(window: Window, name: str, spread: Spread, places: Stretch) -> QuerySet[Score]:
    """One name's scores of the window between two places: few are found by their time, many by their value."""
    rows = in_reach(window.reach, Score.objects.filter(name=name))
    is_by_value = spread.count > MANY
    rows = rows.alias(looked_at=Unindexed(F("created_ms" if is_by_value else "value")))
    time, value = ("looked_at", "value") if is_by_value else ("created_ms", "looked_at")
    above = "gte" if is_exact(places.first) else "gt"
    below = "lte" if is_exact(places.last) else "lt"
    between = {f"{value}__{above}": bounds_of(places.first)[0], f"{value}__{below}": bounds_of(places.last)[1]}
    return rows.filter(**between, **{f"{time}__gte": window.since_ms, f"{time}__lte": newest_ms(window)})


def scored_traces(window: Window, name: str, *, worst: bool, offset: int, limit: int) -> list[ScoreRow]:
    """A page of one name's scores with their traces: the worst first, or the newest.

    Three queries: how they spread, which rows they are, found in an index; and only these are looked at.
    """
    spread = score_spread(window, name)
    stands = stretch_of(spread.places if worst else spread.times, offset=offset, limit=limit)
    if stands is None:
        return []
    if worst:
        rows = scores_at(window, name, spread, stands)
    else:
        ends_ms = stands.first + spread.long_ms[stands.first]
        rows = made_between(window, Score.objects.filter(name=name), since_ms=stands.last, ends_ms=ends_ms)
    order = ("value", "-created_ms", "-id") if worst else ("-created_ms", "-id")
    ids = list(rows.order_by(*order).values_list("pk", flat=True)[stands.offset : stands.offset + limit])
    return score_rows(Score.objects.filter(pk__in=ids).order_by(*order))


def newest_ms(window: Window) -> int:
    """When the newest judgement of the window may have been made."""
    return min(window.now_ms, window.until_ms - 1)


def made_between(window: Window, rows: QuerySet[Row], *, since_ms: int, ends_ms: int) -> QuerySet[Row]:
    """The judgements of a part of the window. Projects are always named, for the indexes begin with them."""
    since_ms, until_ms = max(since_ms, window.since_ms), min(ends_ms - 1, newest_ms(window))
    return in_reach(window.reach, rows).filter(created_ms__gte=since_ms, created_ms__lte=until_ms)


# --- Feedback of a window ---------------------------------------------------------------------------------------------

THUMBS: dict[str, Any] = {"up": Sum("positive"), "down": Sum("negative")}


def thumbs(window: Window) -> Thumbs:
    """The feedback of the window counted, in one query."""
    found = window.hourly(FeedbackHour.objects.all()).aggregate(**THUMBS)
    return Thumbs(found["up"] or 0, found["down"] or 0)


def is_hourly(window: Window) -> bool:
    """Whether a window's feedback is told by the hour rather than by the day."""
    return window.hours <= 48


def step_ms(window: Window) -> int:
    """How long the steps of a window's feedback are."""
    return HOUR_MS if is_hourly(window) else DAY_MS


def thumbs_together(steps: Sequence[Thumbs]) -> Thumbs:
    """The sum of a series."""
    return Thumbs(sum(each.positive for each in steps), sum(each.negative for each in steps))


def thumbs_over_time(window: Window) -> list[Thumbs]:
    """The window's feedback by hour, or by day (UTC) when it is longer than two days; empty steps too. One query."""
    step = step_ms(window)
    rows: Any = window.hourly(FeedbackHour.objects.all()).values(since=F("hour_ms") - F("hour_ms") % step)
    found = {row["since"]: (row["up"], row["down"]) for row in rows.annotate(**THUMBS).order_by()}
    first = window.since_ms - window.since_ms % step
    return [Thumbs(*found.get(at, (0, 0)), since_ms=at) for at in range(first, window.until_ms, step)]


def feedback_list(
    window: Window, steps: Sequence[Thumbs], *, value: int | None, offset: int, limit: int
) -> list[FeedbackRow]:
    """A page of the window's feedback, the newest first. steps: `thumbs_over_time`; value: 1 or -1 for only these."""
    counts = [Step(step.since_ms, step.of(value)) for step in reversed(steps)]
    stands = stretch_of(counts, offset=offset, limit=limit)
    if stands is None:
        return []
    rows = Feedback.objects.filter(value__in=(1, -1) if value is None else (value,))
    rows = made_between(window, rows, since_ms=stands.last, ends_ms=stands.first + step_ms(window))
    rows = rows.order_by("-created_ms", "-id")
    ids = list(rows.values_list("pk", flat=True)[stands.offset : stands.offset + limit])
    return feedback_rows(Feedback.objects.filter(pk__in=ids).order_by("-created_ms", "-id"))
