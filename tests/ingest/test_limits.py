import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client, RequestFactory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import throttle
from accounts.models import RateBucket
from accounts.throttle import Limit, Throttle
from bloop_site.lib import network
from bloop_site.lib.network import client_address
from ingest import buffer
from ingest.limits import ingest_throttle
from projects.services.projects import NewProject
from tests.factories import event_json, post_signed, sign

BODY = json.dumps(event_json()).encode()
START = 1_760_000_000_000
redis_only = pytest.mark.redis


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.ms = START

    def __call__(self) -> int:
        return self.ms

    def move(self, ms: int) -> None:
        self.ms += ms


def is_granted(bucket: Throttle, key: str = "k") -> bool:
    return bucket.wait_seconds(key) == 0


def granted_of(bucket: Throttle, tries: int, key: str = "k") -> int:
    return sum(is_granted(bucket, key) for _ in range(tries))


def redis_at(settings: Any, url: str) -> None:
    settings.BLOOP = settings.BLOOP.model_copy(update={"redis_url": url})
    throttle.redis_script.cache_clear()


@pytest.fixture(params=["database", pytest.param("redis", marks=redis_only)])
def shared(request: pytest.FixtureRequest, db: None, settings: Any) -> Iterator[str]:
    """Where the buckets stand: in the database, or in a Redis. A limit's name that no other test uses."""
    name = uuid.uuid4().hex
    if request.param == "redis":
        url = os.environ["BLOOP_TEST_REDIS_URL"]
        redis_at(settings, url)
        yield name
        throttle.redis_script.cache_clear()
    else:
        yield name


# --- The bucket (9.1): a burst, then real per-second refill -----------------------------------------------------


def test_a_bucket_grants_its_burst_and_then_nothing(shared: str) -> None:
    bucket = Throttle(Limit(shared, rate=2, burst=10), clock=Clock())

    assert granted_of(bucket, 30) == 10


def test_a_bucket_refills_by_its_rate_every_second_not_one_token_every_rate_seconds(shared: str) -> None:
    clock = Clock()
    bucket = Throttle(Limit(shared, rate=2, burst=10), clock=clock)
    granted_of(bucket, 10)

    refilled = []
    for _ in range(3):
        clock.move(1000)
        refilled.append(granted_of(bucket, 5))

    assert refilled == [2, 2, 2]


def test_a_bucket_refills_in_parts_of_a_second(shared: str) -> None:
    clock = Clock()
    bucket = Throttle(Limit(shared, rate=2, burst=4), clock=clock)
    granted_of(bucket, 4)

    clock.move(499)
    assert not is_granted(bucket)
    clock.move(1)
    assert is_granted(bucket)


def test_a_bucket_never_holds_more_than_its_burst(shared: str) -> None:
    clock = Clock()
    bucket = Throttle(Limit(shared, rate=2, burst=4), clock=clock)
    granted_of(bucket, 4)

    clock.move(3_600_000)

    assert granted_of(bucket, 20) == 4


def test_a_clock_that_runs_backwards_gives_nothing_away(shared: str) -> None:
    clock = Clock()
    bucket = Throttle(Limit(shared, rate=2, burst=4), clock=clock)
    granted_of(bucket, 4)

    clock.move(-60_000)

    assert granted_of(bucket, 5) == 0


def test_the_wait_is_in_whole_seconds_and_true(shared: str) -> None:
    clock = Clock()
    bucket = Throttle(Limit(shared, rate=0.2, burst=1), clock=clock)
    assert is_granted(bucket)

    wait = bucket.wait_seconds("k")

    assert wait == 5
    clock.move(4999)
    assert not is_granted(bucket)
    clock.move(1)
    assert is_granted(bucket)


def test_two_processes_share_one_bucket(shared: str) -> None:
    clock = Clock()
    limit = Limit(shared, rate=2, burst=10)
    first, second = Throttle(limit, clock=clock), Throttle(limit, clock=clock)

    granted = sum(is_granted(each) for _ in range(20) for each in (first, second))
    clock.move(1000)
    later = sum(is_granted(each) for _ in range(20) for each in (first, second))

    assert (granted, later) == (10, 2)


def test_two_processes_that_lease_tokens_never_grant_more_than_there_are(shared: str) -> None:
    limit = Limit(shared, rate=1000, burst=100)
    assert limit.lease > 1
    clock = Clock()
    first, second = Throttle(limit, clock=clock), Throttle(limit, clock=clock)

    granted = sum(is_granted(each) for _ in range(200) for each in (first, second))

    assert granted == 100


def test_each_key_has_a_bucket_of_its_own(shared: str) -> None:
    bucket = Throttle(Limit(shared, rate=1, burst=3), clock=Clock())

    assert (granted_of(bucket, 5, "a"), granted_of(bucket, 5, "b")) == (3, 3)


@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=st.lists(st.integers(0, 3000), min_size=1, max_size=20))
def test_over_any_time_at_most_burst_plus_rate_times_time_is_granted(steps: list[int], db: None) -> None:
    clock = Clock()
    bucket = Throttle(Limit("t", rate=3, burst=5), clock=clock)
    key = str(steps)
    granted = 0
    for step in steps:
        clock.move(step)
        granted += granted_of(bucket, 4, key)

    assert granted <= 5 + 3 * sum(steps) / 1000


def test_a_bucket_that_cannot_be_reached_stops_nobody(db: None, settings: Any) -> None:
    redis_at(settings, "redis://127.0.0.1:1/0")
    bucket = Throttle(Limit("t", rate=1, burst=1), clock=Clock())

    assert granted_of(bucket, 3) == 3

    throttle.redis_script.cache_clear()


# --- The shared state is away: nobody waits for it again and again ----------------------------------------------


class Line:
    """The line to the database: counts who asks for a bucket, and fails while it is down, after `takes` seconds."""

    def __init__(self) -> None:
        self.asked = 0
        self.takes = 0.0
        self.is_down = True

    def __call__(self, execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("SELECT") and RateBucket._meta.db_table in sql:
            self.asked += 1
            if self.is_down:
                time.sleep(self.takes)
                raise OperationalError("the server went away")
        return execute(sql, *rest)


@pytest.fixture
def line(db: None) -> Iterator[Line]:
    line = Line()
    with connection.execute_wrapper(line):
        yield line


def test_after_a_failure_the_shared_state_is_left_alone_for_a_while_and_nobody_is_stopped(line: Line) -> None:
    bucket = Throttle(Limit("t", rate=1, burst=1), clock=Clock())

    granted = [is_granted(bucket, key) for key in ("a", "a", "b", "c")]

    assert granted == [True] * 4
    assert line.asked == 1
    assert throttle.AWAY_SECONDS >= 1


def test_when_the_while_is_over_it_is_asked_again_and_the_limit_holds_again(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "AWAY_SECONDS", 0.05)
    bucket = Throttle(Limit("t", rate=1, burst=2), clock=Clock())
    assert granted_of(bucket, 5) == 5
    line.asked, line.is_down = 0, False

    time.sleep(0.06)

    assert granted_of(bucket, 5) == 2
    assert line.asked == 5


def test_a_failure_that_takes_longer_than_the_while_is_waited_for_once(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "AWAY_SECONDS", 0.4)
    line.takes = 0.5
    bucket = Throttle(Limit("t", rate=1, burst=1), clock=Clock())

    assert granted_of(bucket, 3) == 3

    assert line.asked == 1


def test_what_was_leased_before_is_spent_while_the_shared_state_is_away(line: Line) -> None:
    line.is_down = False
    bucket = Throttle(Limit("t", rate=1000, burst=100), clock=Clock())
    assert is_granted(bucket)
    line.is_down = True
    assert is_granted(bucket, "another")

    granted_of(bucket, bucket.limit.lease - 1)

    assert bucket.leases["k"].tokens == 0
    assert line.asked == 2


def test_one_limit_that_is_away_leaves_the_others_alone(line: Line) -> None:
    first, second = (Throttle(Limit(name, rate=1, burst=1), clock=Clock()) for name in ("first", "second"))
    assert is_granted(first)
    line.is_down = False

    assert granted_of(second, 2) == 1


def test_a_redis_that_does_not_answer_is_waited_for_once(db: None, settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        redis_at(settings, f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        bucket = Throttle(Limit("t", rate=1, burst=1), clock=Clock())
        began = time.monotonic()

        assert granted_of(bucket, 20) == 20

        assert time.monotonic() - began < 3  # its time-out is a second
    throttle.redis_script.cache_clear()


# --- Over HTTP ------------------------------------------------------------------------------------------------


@pytest.fixture
def three_at_once(settings: Any) -> Iterator[Clock]:
    """Ingest limited to bursts of three and one request in ten seconds."""
    clock = Clock()
    limit, real_clock = ingest_throttle.limit, ingest_throttle.clock
    ingest_throttle.limit, ingest_throttle.clock = Limit("ingest", rate=0.1, burst=3), clock
    yield clock
    ingest_throttle.limit, ingest_throttle.clock = limit, real_clock


def post(client: Client, project: NewProject, **extra: Any) -> Any:
    headers = {"X-Signature": sign(BODY, project.api_key), "X-Project-Key": project.api_key}
    return client.post("/v1/ingest", data=BODY, content_type="application/json", headers=headers, **extra)


def test_too_many_requests_are_429_with_the_wait_and_nothing_stored(
    three_at_once: Clock, client: Client, shop: NewProject
) -> None:
    answers = [post(client, shop) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    refused = answers[-1]
    assert refused.json() == {"error": "too many requests, wait for 10s"}
    assert refused.headers["Retry-After"] == "10"
    assert refused.headers["Access-Control-Allow-Origin"] == "*"
    assert buffer.waiting_items() == 3
    three_at_once.move(10_000)
    assert post(client, shop).status_code == 200


def test_one_project_does_not_use_up_anothers_rate(
    three_at_once: Clock, client: Client, shop: NewProject, other: NewProject
) -> None:
    for _ in range(4):
        post(client, shop)

    assert post(client, other).status_code == 200


def test_one_address_does_not_use_up_anothers_rate(three_at_once: Clock, client: Client, shop: NewProject) -> None:
    for _ in range(4):
        post(client, shop)

    assert post(client, shop, REMOTE_ADDR="192.0.2.7").status_code == 200


def test_forged_headers_do_not_buy_more_requests(three_at_once: Clock, client: Client, shop: NewProject) -> None:
    statuses = [
        post(client, shop, HTTP_X_FORWARDED_FOR=f"192.0.2.{n}", HTTP_X_REAL_IP=f"192.0.2.{n}").status_code
        for n in range(4)
    ]

    assert statuses == [200, 200, 200, 429]


def test_guessing_keys_is_limited_too(three_at_once: Clock, client: Client, shop: NewProject) -> None:
    statuses = [post_signed(client, "/v1/ingest", BODY, key=f"bloop_{n}").status_code for n in range(4)]

    assert statuses == [401, 401, 401, 429]


# --- Whose address it is (design.md 3) --------------------------------------------------------------------------


def trust(settings: Any, *proxies: str) -> None:
    server = settings.BLOOP.server.model_copy(update={"trusted_proxies": proxies})
    settings.BLOOP = settings.BLOOP.model_copy(update={"server": server})
    network.trusted_networks.cache_clear()


@pytest.fixture(autouse=True)
def no_network_remembered() -> Iterator[None]:
    network.trusted_networks.cache_clear()
    yield
    network.trusted_networks.cache_clear()


@pytest.mark.parametrize(
    ("peer", "forwarded", "real_ip", "address"),
    [
        ("203.0.113.9", "198.51.100.1", "198.51.100.2", "203.0.113.9"),  # not our proxy: the peer itself
        ("10.0.0.1", "198.51.100.1", "", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", "", "198.51.100.1"),  # from the right: 6.6.6.6 is the client's word
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "", "198.51.100.1"),  # past our own second proxy
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "", "10.0.0.3"),  # all ours: the farthest
        ("10.0.0.1", "", "198.51.100.2", "198.51.100.2"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.2", "198.51.100.1"),  # X-Forwarded-For before X-Real-IP
        ("10.0.0.1", "", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, garbage", "", "10.0.0.1"),
        ("10.0.0.1", " , ,198.51.100.1, ", "", "198.51.100.1"),
        ("::ffff:10.0.0.1", "2001:db8::1", "", "2001:db8::1"),
        ("fd00::1", "2001:db8::1", "", "2001:db8::1"),
        ("", "198.51.100.1", "", "unknown"),
    ],
)
def test_forwarding_headers_count_behind_our_proxies_only(
    peer: str, forwarded: str, real_ip: str, address: str, settings: Any
) -> None:
    trust(settings, "10.0.0.0/8", "fd00::/16")
    headers = {"X-Forwarded-For": forwarded, "X-Real-IP": real_ip}
    sent = {name: value for name, value in headers.items() if value}
    request = RequestFactory().post("/v1/ingest", REMOTE_ADDR=peer, headers=sent)

    assert client_address(request) == address


def test_behind_a_proxy_each_client_has_its_own_rate(
    three_at_once: Clock, client: Client, shop: NewProject, settings: Any
) -> None:
    trust(settings, "127.0.0.1")
    for _ in range(4):
        post(client, shop, HTTP_X_FORWARDED_FOR="192.0.2.1")

    assert post(client, shop, HTTP_X_FORWARDED_FOR="192.0.2.1").status_code == 429
    assert post(client, shop, HTTP_X_FORWARDED_FOR="192.0.2.2").status_code == 200
    assert post(client, shop, HTTP_X_FORWARDED_FOR="192.0.2.2, 192.0.2.1").status_code == 429
