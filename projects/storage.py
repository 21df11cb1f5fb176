"""How much room the database takes and how much is in it: counted exactly, and not again within a minute if slow."""

import time
from dataclasses import dataclass

from django.core.cache import cache

from bloop_site.lib.clock import MINUTE_MS, to_ms
from bloop_site.lib.db import Space, space
from projects.models import PurgeRun
from projects.retention import Holdings, holdings

CACHE_KEY = "projects.storage"
SLOW_SECONDS = 0.1
LIFETIME_MS = MINUTE_MS


@dataclass(frozen=True)
class Storage:
    """The room as it is now; what is in it as it was at `counted_ms`."""

    space: Space
    holdings: Holdings
    counted_ms: int


def storage(*, now_ms: int) -> Storage:
    """What the database holds. Rows are counted afresh where that is quick, else once a minute and after a purge."""
    room, known = space(), cache.get(CACHE_KEY)
    if known is not None and last_purge_ms() < known[0] <= now_ms < known[0] + LIFETIME_MS:
        return Storage(room, known[1], known[0])
    begun = time.perf_counter()
    counted = holdings()
    if time.perf_counter() - begun > SLOW_SECONDS:
        cache.set(CACHE_KEY, (now_ms, counted), LIFETIME_MS // 1000)
    return Storage(room, counted, now_ms)


def last_purge_ms() -> int:
    """When the last pass of retention ended, in epoch ms; 0: none has."""
    ended = PurgeRun.objects.exclude(finished_at=None).order_by("-pk").values_list("finished_at", flat=True).first()
    return to_ms(ended) if ended else 0
