"""Token buckets that hold across processes: real per-second refill, shared state in the database or Redis.

Each process leases a few tokens at a time from the shared bucket and spends them without asking again, so the limit
costs a query once in many requests. No process can spend what was not granted; a lease not spent within a second
lapses, which can only make the limit stricter.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import ClassVar
from weakref import WeakSet

from django.conf import settings
from django.db import transaction

from accounts.models import RateBucket
from bloop_site.lib.clock import now_ms
from bloop_site.lib.log import logger
from bloop_site.lib.turn import write_turn

log = logger("throttle")
LEASE_SECONDS = 1.0
AWAY_SECONDS = 2.0
MAX_LEASES = 10_000

REDIS_SCRIPT = """
local state = redis.call('HMGET', KEYS[1], 'tokens', 'updated_ms')
local rate, burst, want, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local tokens = tonumber(state[1]) or burst
local elapsed = math.max(0, now - (tonumber(state[2]) or now))
tokens = math.min(burst, tokens + elapsed * rate / 1000)
local granted = math.min(want, math.floor(tokens))
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens - granted), 'updated_ms', now)
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 60000)
return {granted, tostring(tokens - granted)}
"""


@dataclass(frozen=True)
class Limit:
    """A bucket's shape: `rate` tokens a second, at most `burst` at once."""

    name: str
    rate: float
    burst: int

    @property
    def lease(self) -> int:
        """Tokens leased at a time: a twentieth of a second's worth, at most a twentieth of the burst, at least one."""
        return max(1, int(min(self.rate, self.burst) / 20))


@dataclass
class Lease:
    tokens: int
    ends: float


class Throttle:
    """Spends tokens of one Limit. Thread-safe; one instance a process and limit."""

    all: ClassVar["WeakSet[Throttle]"] = WeakSet()

    def __init__(self, limit: Limit, *, clock: Callable[[], int] = now_ms) -> None:
        self.all.add(self)
        self.limit = limit
        self.clock = clock
        self.leases: dict[str, Lease] = {}
        self.away_until = 0.0
        self.lock = threading.Lock()

    @classmethod
    def forget_all(cls) -> None:
        """Drop every lease of this process, as a restart would."""
        for throttle in cls.all:
            throttle.leases.clear()
            throttle.away_until = 0.0

    def wait_seconds(self, key: str) -> int:
        """Take one token for `key`. 0 when granted, else the whole seconds until one is there (at least 1).

        When the shared state cannot be reached the request is let through and the failure logged: a limit protects
        the service and must not be what stops it.
        """
        now = time.monotonic()
        with self.lock:
            lease = self.leases.get(key)
            if lease and lease.tokens > 0 and lease.ends > now:
                lease.tokens -= 1
                return 0
        if self.away_until > now:
            return 0
        try:
            granted, left = take_shared(self.limit, f"{self.limit.name}:{key}"[:160], now=self.clock())
        except Exception:
            log.exception("throttle_unavailable", limit=self.limit.name)
            # Or each request would wait for it to time out; from now on, which may be long after it was asked.
            self.away_until = time.monotonic() + AWAY_SECONDS
            return 0
        if granted == 0:
            return max(1, ceil((1 - left) / self.limit.rate))
        with self.lock:
            if len(self.leases) >= MAX_LEASES:
                self.leases = {each: held for each, held in self.leases.items() if held.ends > now}
            self.leases[key] = Lease(granted - 1, now + LEASE_SECONDS)
        return 0


def take_shared(limit: Limit, key: str, *, now: int) -> tuple[int, float]:
    """Take up to `limit.lease` tokens of the shared bucket. Returns (granted, left); writes the bucket."""
    if settings.BLOOP.redis_url:
        reply = redis_script()(keys=[f"bloop:rate:{key}"], args=[limit.rate, limit.burst, limit.lease, now])
        return int(reply[0]), float(reply[1])
    with write_turn, transaction.atomic():
        bucket, _ = RateBucket.objects.select_for_update().get_or_create(
            key=key, defaults={"tokens": float(limit.burst), "updated_ms": now}
        )
        tokens = refilled(tokens=bucket.tokens, elapsed_ms=now - bucket.updated_ms, limit=limit)
        granted = min(limit.lease, int(tokens))
        bucket.tokens, bucket.updated_ms = tokens - granted, now
        bucket.save(update_fields=["tokens", "updated_ms"])
    return granted, bucket.tokens


def refilled(*, tokens: float, elapsed_ms: int, limit: Limit) -> float:
    """Tokens after `elapsed_ms` of refill, at most the burst; a clock that ran backwards adds nothing."""
    return min(float(limit.burst), tokens + max(0, elapsed_ms) * limit.rate / 1000)


@lru_cache(maxsize=1)
def redis_script() -> Callable[..., list[bytes]]:
    """The bucket as one atomic script on the configured Redis."""
    import redis  # noqa: PLC0415  a tenth of a second at each start, for those who have no Redis

    client = redis.Redis.from_url(str(settings.BLOOP.redis_url), socket_timeout=1, socket_connect_timeout=1)
    return client.register_script(REDIS_SCRIPT)


def prune_buckets(*, now: int) -> int:
    """Delete buckets untouched for an hour (they are full by then). Returns how many."""
    return RateBucket.objects.filter(updated_ms__lt=now - 3_600_000).delete()[0]
