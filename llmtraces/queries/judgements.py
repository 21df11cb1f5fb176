"""Scores and feedback: of one trace, of a window by name, newest and worst (contract 8.6)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

from django.db.models import Count, F, Max, Min, Model, Q, QuerySet, Sum
from django.db.models import Window as Over
from django.db.models.functions import RowNumber

from bloop_site.lib.clock import DAY_MS, HOUR_MS
from llmtraces.judging import rank_of
from llmtraces.models import Feedback, Score
from llmtraces.queries.usage import percent
from llmtraces.queries.window import Window
from projects.access import live_projects

MAX_OF_TRACE = 1_000  # of each kind: clients choose names and users, so nobody knows how many there are
MAX_NAMES = 200
MAX_GROUPS = 10_000  # names of projects that one answer is made of
BOUNDS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
FIFTHS = tuple(f"{low}-{high}" for low, high in pairwise(BOUNDS))
PERCENTS = (10, 50, 90)
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


# --- Scores of a window -----------------------------------------------------------------------------------------------


def within(window: Window, rows: QuerySet[Row]) -> QuerySet[Row]:
    """The judgements made in the window. Projects are always named, for the indexes begin with them."""
    if window.reach.project_ids is None:
        rows = rows.filter(project_id__in=live_projects().values("pk"))
    return window.own(rows).filter(**window.bounds("created_ms"), created_ms__lte=window.now_ms)


def score_cards(window: Window, *, name: str = "") -> list[ScoreCard]:
    """The scores of the window by name, the most frequent first; one query, of the index score_by_name alone.

    name: only this one. The groups are by project too, which is the index's order, so that nothing is sorted.
    """
    fifths: dict[str, Any] = {f"fifth{at}": Count("value", filter=each) for at, each in enumerate(fifth_conditions())}
    named = Score.objects.filter(name=name) if name else Score.objects.all()
    rows: Any = within(window, named).values("project_id", "name").order_by("project_id", "name")
    rows = rows.annotate(count=Count("value"), total=Sum("value"), lowest=Min("value"), highest=Max("value"), **fifths)[
        :MAX_GROUPS
    ]
    by_name: defaultdict[str, list[Any]] = defaultdict(list)
    for row in rows:
        by_name[row["name"]].append(row)
    cards = [card_from(each, parts, fifths) for each, parts in by_name.items()]
    return sorted(cards, key=lambda card: (-card.count, card.name))[:MAX_NAMES]


def card_from(name: str, parts: Sequence[Mapping[str, Any]], fifths: Iterable[str]) -> ScoreCard:
    """One name's card of what its projects have."""
    count = sum(part["count"] for part in parts)
    return ScoreCard(
        name,
        count,
        round(sum(part["total"] for part in parts) / count, 6),  # sums of decimal fractions are a hair off
        min(part["lowest"] for part in parts),
        max(part["highest"] for part in parts),
        tuple(sum(part[fifth] for part in parts) for fifth in fifths),
    )


def card_of(window: Window, name: str, cards: Sequence[ScoreCard]) -> ScoreCard:
    """The card of one name: among those read already, else asked for if there may be more; empty if there is none."""
    found = next((card for card in cards if card.name == name), None)
    if found is None and len(cards) == MAX_NAMES:
        found = next(iter(score_cards(window, name=name)), None)
    return found or ScoreCard(name)


def fifth_conditions() -> list[Q]:
    """Which values each fifth holds: from its lower bound to below its upper one; the last has 1.0 too."""
    *below, last = pairwise(BOUNDS)
    return [Q(value__gte=low, value__lt=high) for low, high in below] + [Q(value__gte=last[0])]


def score_percentiles(window: Window, card: ScoreCard) -> dict[int, float]:
    """The values at PERCENTS of one name's scores (contract 8.6's rule), in one query; 0 when there are none."""
    ranks = {percent: rank_of(percent, card.count) for percent in PERCENTS}
    if not card.count:
        return dict.fromkeys(PERCENTS, 0.0)
    ranked = within(window, Score.objects.filter(name=card.name)).annotate(
        rank=Over(RowNumber(), order_by=F("value").asc())
    )
    found = dict(ranked.filter(rank__in={rank + 1 for rank in ranks.values()}).values_list("rank", "value"))
    return {percent: found.get(rank + 1, 0.0) for percent, rank in ranks.items()}


def scored_traces(window: Window, name: str, *, worst: bool, offset: int, limit: int) -> list[ScoreRow]:
    """A page of one name's scores with their traces: the worst first, or the newest.

    Two queries: which rows they are is found in the index, and only these are looked at.
    """
    order = ("value", "-created_ms", "-id") if worst else ("-created_ms", "-id")
    rows = within(window, Score.objects.filter(name=name)).order_by(*order)
    ids = list(rows.values_list("pk", flat=True)[offset : offset + limit])
    return score_rows(Score.objects.filter(pk__in=ids).order_by(*order))


# --- Feedback of a window ---------------------------------------------------------------------------------------------

POSITIVE: dict[str, Any] = {
    "positive": Count("value", filter=Q(value=1)),
    "negative": Count("value", filter=Q(value=-1)),
}


def thumbs(window: Window) -> Thumbs:
    """The feedback of the window counted, in one query of the index feedback_by_time alone."""
    return Thumbs(**within(window, Feedback.objects.all()).aggregate(**POSITIVE))


def is_hourly(window: Window) -> bool:
    """Whether a window's feedback is told by the hour rather than by the day."""
    return window.hours <= 48


def step_ms(window: Window) -> int:
    """How long a step of a window's feedback is."""
    return HOUR_MS if is_hourly(window) else DAY_MS


def thumbs_together(steps: Sequence[Thumbs]) -> Thumbs:
    """The sum of a series."""
    return Thumbs(sum(each.positive for each in steps), sum(each.negative for each in steps))


def thumbs_over_time(window: Window) -> list[Thumbs]:
    """The window's feedback by hour, or by day (UTC) when it is longer than two days; empty steps too. One query."""
    step = step_ms(window)
    rows: Any = within(window, Feedback.objects.all()).annotate(since=F("created_ms") - F("created_ms") % step)
    found = {row["since"]: row for row in rows.values("since").annotate(**POSITIVE)}
    first = window.since_ms - window.since_ms % step
    none = {"positive": 0, "negative": 0}
    return [
        Thumbs(found.get(at, none)["positive"], found.get(at, none)["negative"], at)
        for at in range(first, window.until_ms, step)
    ]


def feedback_list(window: Window, *, value: int | None, offset: int, limit: int) -> list[FeedbackRow]:
    """A page of the window's feedback, the newest first. value: 1 or -1 for only these."""
    rows = within(window, Feedback.objects.all())
    rows = rows if value is None else rows.filter(value=value)
    rows = rows.order_by("-created_ms", "-id")
    ids = list(rows.values_list("pk", flat=True)[offset : offset + limit])
    return feedback_rows(Feedback.objects.filter(pk__in=ids).order_by("-created_ms", "-id"))
