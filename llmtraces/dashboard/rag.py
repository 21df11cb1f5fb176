"""The RAG page: what retrievals found (contract 8.5.10)."""

from dataclasses import dataclass

from django.http import HttpResponseBase

from accounts.http import PageRequest
from bloop_site.lib.charts import slots_words
from bloop_site.lib.clock import HOUR_MS
from bloop_site.lib.pages import wants_csv
from llmtraces.dashboard.shell import answer, csv_answer, llm_page, shell_of
from llmtraces.queries.rag import RagHour, Retrievals, Source
from llmtraces.queries.rag import rag as rag_of
from llmtraces.queries.window import Window

LIMIT = 200
WEEK = 168
WIDTH, HEIGHT = 720, 100  # of a chart's view box
CSV_HEADER = (
    "retrieval",
    "source",
    "calls",
    "errors",
    "error_rate_pct",
    "avg_latency_ms",
    "p50_latency_ms",
    "p95_latency_ms",
    "avg_chunks_retrieved",
    "avg_chunks_used",
    "avg_context_tokens",
    "avg_context_utilization_pct",
    "avg_top_relevance",
)


@dataclass(frozen=True)
class Column:
    """The retrievals of some hours, and where they stand in the two charts; lengths in the units of the view box."""

    since_ms: int
    of: Retrievals
    x: str
    tall: str
    y: str
    error_tall: str
    error_y: str
    latency_tall: str
    latency_y: str


@dataclass(frozen=True)
class Chart:
    """Columns, the oldest first. hours_each: how many hours a column holds; the peaks are those of a column."""

    columns: list[Column]
    hours_each: int
    peak: int
    slowest_ms: float

    @property
    def width(self) -> str:
        """Of a column, with a quarter of its place left empty."""
        return f"{WIDTH / len(self.columns) * 0.75:g}"

    @property
    def slots(self) -> str:
        """What chart-zoom.js chooses from."""
        return slots_words(self.columns[0].since_ms, self.hours_each * HOUR_MS, len(self.columns))

    @property
    def each_words(self) -> str:
        return "hour" if self.hours_each == 1 else f"{self.hours_each} hours"


@llm_page
def rag(request: PageRequest) -> HttpResponseBase:
    """The RAG page; its sources as CSV."""
    shell = shell_of(request)
    found = rag_of(shell.window, limit=LIMIT)
    if wants_csv(request):
        return csv_answer(shell, "rag", CSV_HEADER, map(csv_row, found.sources))
    context = {
        "rag": found,
        "total": found.total,
        "chart": chart_of(shell.window, found.hours) if found.hours else None,
        "limit": LIMIT,
        "is_cut": len(found.sources) == LIMIT,
    }
    return answer(request, shell, "llm/rag.html", context)


def csv_row(source: Source) -> tuple[object, ...]:
    """In the order of CSV_HEADER."""
    of = source.of
    return (
        source.name,
        source.source,
        of.call_count,
        of.error_count,
        of.error_rate,
        of.avg_latency_ms,
        source.p50_latency_ms,
        source.p95_latency_ms,
        of.avg_chunks_retrieved,
        of.avg_chunks_used,
        of.avg_context_tokens,
        of.avg_context_utilization_pct,
        of.avg_top_relevance,
    )


def chart_of(window: Window, hours: list[RagHour]) -> Chart:
    """The hours of the window as columns, dense; of more than a week, six hours in a column."""
    each = 6 if window.hours > WEEK else 1
    size = each * HOUR_MS
    places = -(-(window.until_ms - window.since_ms) // size)
    sums = [Retrievals()] * places
    for hour in hours:
        place = (hour.hour_ms - window.since_ms) // size
        sums[place] = sums[place].plus(hour.of)
    peak, slowest = max(of.call_count for of in sums), max(of.avg_latency_ms for of in sums)
    columns = [
        column_at(
            index * WIDTH / places,
            window.since_ms + index * size,
            of,
            shares=(of.call_count / peak, of.error_count / peak, of.avg_latency_ms / slowest if slowest else 0.0),
        )
        for index, of in enumerate(sums)
    ]
    return Chart(columns, each, peak, slowest)


def column_at(x: float, since_ms: int, of: Retrievals, *, shares: tuple[float, float, float]) -> Column:
    """A column of these retrievals, each figure (count, errors, mean latency) as high as its share of the peak."""
    talls = [max(share * HEIGHT, 2) if share else 0.0 for share in shares]
    lengths = [text for tall in talls for text in (f"{tall:.2f}", f"{HEIGHT - tall:.2f}")]
    return Column(since_ms, of, f"{x:g}", *lengths)
