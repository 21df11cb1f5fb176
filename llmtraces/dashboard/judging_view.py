"""Scores and feedback as the pages draw them: words beside each colour, and bars in the units of their pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

from llmtraces.links import trace_url
from llmtraces.queries.judgements import FIFTHS, FeedbackRow, ScoreCard, ScoreRow, Thumbs

LOW, HIGH = 0.3, 0.7  # seed, "Scores": red below, amber between, green above
WIDE, TALL = 100.0, 40.0
CHART_WIDE, CHART_TALL = 720.0, 100.0
GAP = 2.0


@dataclass(frozen=True)
class Bar:
    """A bar of a picture, in its units; below_y, below_tall: the part that stands for something else."""

    x: float
    y: float
    width: float
    height: float
    count: int
    label: str = ""
    since_ms: int = 0
    below_y: float = 0.0
    below_height: float = 0.0
    below_count: int = 0


@dataclass(frozen=True)
class CardView:
    """A score's card. tone: which colour its average has, with the word that says the same; width: of 100."""

    card: ScoreCard
    tone: str
    word: str
    width: float
    bars: list[Bar]
    url: str


@dataclass(frozen=True)
class JudgedRow:
    """A row of a list, with the address of its trace and the words of its value."""

    row: ScoreRow | FeedbackRow
    url: str
    tone: str
    word: str
    width: float = 0.0


def tone_of(value: float) -> tuple[str, str]:
    """The colour of a value and its word; both bounds are in the middle."""
    if value < LOW:
        return "low", "Low"
    return ("high", "High") if value > HIGH else ("middle", "Medium")


def card_view(card: ScoreCard, url: str) -> CardView:
    """The card as it is drawn."""
    tone, word = tone_of(card.average)
    return CardView(card, tone, word, round(card.average * 100, 2), fifth_bars(card.distribution), url)


def fifth_bars(counts: Sequence[int]) -> list[Bar]:
    """The distribution as columns, the highest as tall as the picture; what is there is seen."""
    most, step = max(counts, default=0) or 1, WIDE / len(FIFTHS)
    heights = [max(2.0, count / most * TALL) if count else 0.0 for count in counts]
    return [
        Bar(at * step + GAP / 2, round(TALL - height, 2), step - GAP, round(height, 2), count, label)
        for at, (height, count, label) in enumerate(zip(heights, counts, FIFTHS, strict=True))
    ]


def thumb_bars(steps: Sequence[Thumbs]) -> list[Bar]:
    """Feedback over time as columns: what is negative stands on what is positive."""
    most = max((each.total for each in steps), default=0) or 1
    step = CHART_WIDE / (len(steps) or 1)
    found = []
    for at, each in enumerate(steps):
        up, down = each.positive / most * CHART_TALL, each.negative / most * CHART_TALL
        found.append(
            Bar(
                x=round(at * step + step * 0.1, 2),
                y=round(CHART_TALL - up, 2),
                width=round(step * 0.8, 2),
                height=round(up, 2),
                count=each.positive,
                since_ms=each.since_ms,
                below_y=round(CHART_TALL - up - down, 2),
                below_height=round(down, 2),
                below_count=each.negative,
            )
        )
    return found


def score_view(row: ScoreRow) -> JudgedRow:
    """A scored trace as a row."""
    tone, word = tone_of(row.value)
    return JudgedRow(row, trace_url(row.project_slug, row.trace_id), tone, word, round(row.value * 100, 2))


def feedback_view(row: FeedbackRow) -> JudgedRow:
    """A thumb as a row."""
    tone, word = ("high", "Positive") if row.value == 1 else ("low", "Negative")
    return JudgedRow(row, trace_url(row.project_slug, row.trace_id), tone, word)
