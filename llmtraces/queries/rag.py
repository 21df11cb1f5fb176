"""What retrievals found (contract 8.5.10): by name and source, hour by hour, and how relevant it was."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from django.db.models import F, OuterRef, Subquery, Sum

from bloop_site.lib.db import Unindexed
from llmtraces.contract import MICROS
from llmtraces.models import Retrieval, RetrievalHour
from llmtraces.percentiles import percentile
from llmtraces.queries.durations import durations, summed
from llmtraces.queries.usage import percent
from llmtraces.queries.window import Window
from llmtraces.tables import TABLES
from projects.models import Project

AMOUNTS = TABLES["retrievals"].amounts
SUMS: dict[str, Any] = {name: Sum(name) for name in AMOUNTS}


def mean(total: int, count: int, *, unit: int = 1, digits: int = 2) -> float:
    """The average of those that gave a value, in units of `unit`; 0 when none did."""
    return round(total / unit / count, digits) if count else 0.0


@dataclass(frozen=True)
class Retrievals:
    """Sums over retrievals, as the rollup has them; each average leaves out those that did not give the value.

    An average of none is 0. Latencies in milliseconds; percentages of 100; relevances as the client gave them.
    """

    call_count: int = 0
    error_count: int = 0
    latency_ms: int = 0
    chunks_retrieved: int = 0
    chunks_used: int = 0
    used_count: int = 0
    context_tokens: int = 0
    context_count: int = 0
    context_micropct: int = 0
    context_pct_count: int = 0
    chunks_micropct: int = 0
    chunks_pct_count: int = 0
    top_k: int = 0
    top_k_count: int = 0
    top_relevance_micros: int = 0
    relevance_count: int = 0

    def plus(self, other: "Retrievals") -> "Retrievals":
        """Both together."""
        return Retrievals(**{name: getattr(self, name) + getattr(other, name) for name in AMOUNTS})

    @property
    def error_rate(self) -> float:
        """In percent."""
        return percent(self.error_count, self.call_count)

    @property
    def avg_latency_ms(self) -> float:
        return mean(self.latency_ms, self.call_count)

    @property
    def avg_chunks_retrieved(self) -> float:
        return mean(self.chunks_retrieved, self.call_count)

    @property
    def avg_chunks_used(self) -> float:
        return mean(self.chunks_used, self.used_count)

    @property
    def avg_context_tokens(self) -> float:
        return mean(self.context_tokens, self.context_count)

    @property
    def avg_context_utilization_pct(self) -> float:
        """Of the most that fits."""
        return mean(self.context_micropct, self.context_pct_count, unit=MICROS)

    @property
    def chunk_utilization_pct(self) -> float:
        """Chunks used of those retrieved."""
        return mean(self.chunks_micropct, self.chunks_pct_count, unit=MICROS)

    @property
    def avg_top_k(self) -> float:
        return mean(self.top_k, self.top_k_count)

    @property
    def avg_top_relevance(self) -> float:
        return mean(self.top_relevance_micros, self.relevance_count, unit=MICROS, digits=6)


@dataclass(frozen=True)
class Source:
    """Retrievals of one name from one source."""

    name: str
    source: str
    of: Retrievals
    p50_latency_ms: float
    p95_latency_ms: float


@dataclass(frozen=True)
class RagHour:
    """Retrievals that began in one hour."""

    hour_ms: int
    of: Retrievals


@dataclass(frozen=True)
class Rag:
    """All of a window. total: over every source, listed or not; hours: the newest first, those with retrievals."""

    sources: list[Source]
    hours: list[RagHour]
    total: Retrievals
    min_top_relevance: float
    max_top_relevance: float


def rag(window: Window, *, limit: int) -> Rag:
    """The retrievals of the window with its busiest `limit` sources, in four queries."""
    hours = hours_of(window)
    total = Retrievals(**{name: sum(getattr(hour.of, name) for hour in hours) for name in AMOUNTS})
    least, most = relevance_bounds(window)
    return Rag(sources_of(window, limit=limit), hours, total, least, most)


def sources_of(window: Window, *, limit: int) -> list[Source]:
    """By name and source, the most called first; in two queries."""
    rows = window.hourly(RetrievalHour.objects.all()).values("name", "source").annotate(**SUMS)
    listed: list[Any] = list(rows.exclude(call_count=0).order_by("-call_count", "name", "source")[:limit])
    buckets = rag_buckets(window, {row["name"] for row in listed})
    found = []
    for row in listed:
        name, source = row.pop("name"), row.pop("source")
        counts = buckets[name, source]
        p50, p95 = (round(percentile(counts, p), 2) for p in (0.5, 0.95))
        found.append(Source(name, source, Retrievals(**row), p50, p95))
    return found


def rag_buckets(window: Window, names: set[str]) -> defaultdict[tuple[str, str], Counter[int]]:
    """How many retrievals each bucket of durations holds, by name and source."""
    return summed(((each.of, each.by), each.counts) for each in durations(window, "rag", of=names))


def hours_of(window: Window) -> list[RagHour]:
    """Hour by hour, the newest first; hours without retrievals are left out."""
    rows: Any = window.hourly(RetrievalHour.objects.all()).values("hour_ms").annotate(**SUMS)
    return [RagHour(row.pop("hour_ms"), Retrievals(**row)) for row in rows.exclude(call_count=0).order_by("-hour_ms")]


def relevance_bounds(window: Window) -> tuple[float, float]:
    """The least and the most that a retrieval's best chunk had; one query.

    Of each project the index `retrieval_by_relevance` is read from either end, to the first that lies in the window.
    """
    own = Retrieval.objects.filter(project=OuterRef("pk"), top_relevance_micros__isnull=False)
    # With statistics that say there are few different ones, SQLite would skip from one to the next, and sort.
    own = own.alias(at_ms=Unindexed(F("started_ms")))
    own = own.filter(at_ms__gte=window.since_ms, at_ms__lt=window.until_ms)
    relevances = own.values("top_relevance_micros")
    projects = Project.objects.all()
    if window.reach.project_ids is not None:
        projects = projects.filter(pk__in=window.reach.project_ids)
    rows = projects.annotate(
        least=Subquery(relevances.order_by("top_relevance_micros")[:1]),
        most=Subquery(relevances.order_by("-top_relevance_micros")[:1]),
    )
    found = [row for row in rows.values_list("least", "most") if row[0] is not None]
    least, most = min((row[0] for row in found), default=0), max((row[1] for row in found), default=0)
    return least / MICROS, most / MICROS
