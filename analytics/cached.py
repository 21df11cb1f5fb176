"""Answers of Insights, kept for `analytics.cache_ttl_secs` (contract 7) and shared by the pages and the API.

An answer is kept for exactly the projects it was worked out for: who reaches fewer of them never gets it. The threads
of a process that ask for the same at once let one of them work it out and get its answer.
"""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.core.cache import cache

from analytics.answers import MAX_LIMIT, USUAL_HOURS, Ask, Environments, Mover, Pair, ReleaseImpact, Spike
from analytics.queries.correlations import correlations as find_pairs
from analytics.queries.environments import environment_totals as find_totals
from analytics.queries.environments import environments as find_environments
from analytics.queries.movers import movers as find_movers
from analytics.queries.releases import release_impacts as find_releases
from analytics.queries.spikes import spikes as find_spikes
from bloop_site.lib.log import logger
from projects.access import Reach, live_projects

log = logger("analytics")
SHAPE = 2  # of what is kept; counted up when rows of answers.py change, for caches that outlive a process

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Kept(Generic[Answer]):
    """An answer, when it was worked out, and an instant in the last hour of its window; both in epoch ms."""

    answer: Answer
    now_ms: int
    last_ms: int


class Flights:
    """What is being worked out in this process, by key."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running: dict[str, Future[Any]] = {}

    def share(self, key: str, work: Callable[[], Answer]) -> Answer:
        """The value of `work`, or what another thread that is at it already gets; its exception likewise."""
        with self.lock:
            running = self.running.get(key)
            own: Future[Answer] = self.running.setdefault(key, Future())
        if running is not None:
            return own.result()
        try:
            own.set_result(work())
        except BaseException as error:
            own.set_exception(error)
            raise
        finally:
            with self.lock:
                del self.running[key]
        return own.result()


flights = Flights()


def spikes(ask: Ask, *, threshold: float, method: str) -> Kept[tuple[Spike, ...]]:
    """Hours that stand out, by score descending."""
    work = partial(find_spikes, ask, threshold=threshold, method=method)
    return kept("spikes", ask, work, threshold, method)


def movers(ask: Ask) -> Kept[tuple[Mover, ...]]:
    """Issues by how much they changed against the window before."""
    return kept("movers", ask, partial(find_movers, ask))


def correlations(ask: Ask) -> Kept[tuple[Pair, ...]]:
    """Issues that come together."""
    return kept("correlations", ask, partial(find_pairs, ask))


def releases(ask: Ask) -> Kept[tuple[ReleaseImpact, ...]]:
    """Releases, the newest first; of all time, so neither window nor environment matters (contract 7.4)."""
    of_all = replace(ask, hours=USUAL_HOURS, environment="", ends_ms=None)
    return kept("releases", of_all, partial(find_releases, of_all))


def environments(ask: Ask) -> Kept[Environments]:
    """Every environment, the busiest first, whatever the limit."""
    of_all = replace(ask, limit=MAX_LIMIT)
    return kept("environments", of_all, partial(find_environments, of_all))


def environment_totals(ask: Ask) -> dict[str, int]:
    """The events of every environment of the window, the most first, whichever is asked for."""
    of_all = replace(ask, limit=MAX_LIMIT, environment="")
    return kept("environment totals", of_all, partial(find_totals, of_all)).answer


def kept(question: str, ask: Ask, work: Callable[[], Answer], *more: object) -> Kept[Answer]:
    """The answer that is kept, else a new one. more: what else the question depends on."""
    seconds = settings.BLOOP.analytics.cache_ttl_secs
    if not seconds:
        return Kept(work(), ask.now_ms, ask.last_ms)
    key = key_of(question, replace(ask, reach=named(ask.reach)), *more)

    def found_or_new() -> Kept[Answer]:
        found: Kept[Answer] | None = look_up(key)  # whoever waited for the flight before this one finds its answer
        if found is None:
            found = Kept(work(), ask.now_ms, ask.last_ms)
            keep(key, found, seconds)
        return found

    known: Kept[Answer] | None = look_up(key)
    return known if known is not None else flights.share(key, found_or_new)


def named(reach: Reach) -> Reach:
    """The same with every project by its id: one that is deleted is in no answer any more, for who reaches all too."""
    return Reach(tuple(live_projects().values_list("pk", flat=True))) if reach.project_ids is None else reach


def look_up(key: str) -> Any:
    """What the cache has; nothing while it is away: then each question is worked out anew."""
    try:
        return cache.get(key)
    except Exception as error:  # noqa: BLE001  whatever a cache raises
        log.warning("cache_away", reason=type(error).__name__)
        return None


def keep(key: str, answer: Kept[Answer], seconds: float) -> None:
    """Keep it, unless the cache is away."""
    try:
        cache.set(key, answer, seconds)
    except Exception as error:  # noqa: BLE001  whatever a cache raises
        log.warning("cache_away", reason=type(error).__name__)


def key_of(question: str, ask: Ask, *more: object) -> str:
    """What tells this answer from all others. Projects and chosen hours count exactly, the clock not at all."""
    ids = ask.reach.project_ids
    projects = None if ids is None else sorted(ids)
    asked = repr((SHAPE, question, projects, ask.hours, ask.ends_ms, ask.limit, ask.environment, *more))
    return f"insights:{hashlib.sha256(asked.encode()).hexdigest()}"
