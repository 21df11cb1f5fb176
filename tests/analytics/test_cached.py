"""What is kept, for whom and how long; and that one question at a time is worked out once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from django.core.cache import cache
from django.core.cache.backends.redis import RedisCache
from django.test import Client

from accounts.audit import COMMAND_LINE
from analytics import cached
from analytics.answers import Ask
from analytics.api import base
from analytics.dashboard import shell
from bloop_site.lib.clock import from_ms
from projects.access import Reach
from projects.services.projects import NewProject
from projects.services.removal import continue_removal, request_removal
from tests.analytics.test_api import change, get
from tests.analytics.told import NOW, tell, tell_everything

ASK = Ask(Reach(("p", "q")), 72, NOW)


@pytest.fixture(autouse=True)
def at_half_past(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (base, shell):
        monkeypatch.setattr(module, "now_ms", lambda: NOW)


def test_results_are_cached_for_sixty_seconds(admin_client: Client, shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    """Seed, Insights Panel: "Results are cached for 60 seconds (configurable via cache_ttl_secs)"."""
    kept_for: list[float] = []
    keep = cache.set

    def note(key: str, value: object, seconds: float) -> None:
        kept_for.append(seconds)
        keep(key, value, seconds)

    monkeypatch.setattr(cache, "set", note)
    tell(shop.project, "a", {1: 1})
    before = get(admin_client, "movers")
    tell(shop.project, "b", {1: 5})

    assert get(admin_client, "movers") == before
    assert kept_for == [60]
    cache.clear()
    assert len(get(admin_client, "movers")["movers"]) == 2


def test_how_long_is_configured_and_0_is_not_at_all(admin_client: Client, shop: NewProject, settings: Any):
    change(settings, cache_ttl_secs=0)
    for count in (1, 2):
        tell(shop.project, f"e{count}", {1: 1})
        assert len(get(admin_client, "movers")["movers"]) == count


def test_while_the_cache_is_away_each_answer_is_worked_out_anew(
    admin_client: Client, shop: NewProject, monkeypatch: pytest.MonkeyPatch
):
    away = RedisCache("redis://127.0.0.1:1/0", {})  # nobody listens there
    monkeypatch.setattr(cached, "cache", away)
    for count in (1, 2):
        tell(shop.project, f"e{count}", {1: 1})
        assert len(get(admin_client, "movers")["movers"]) == count


@pytest.mark.parametrize(
    "other",
    [
        replace(ASK, reach=Reach(("p",))),
        replace(ASK, reach=Reach(("p", "q", "r"))),
        replace(ASK, reach=Reach(())),
        replace(ASK, reach=Reach(None)),
        replace(ASK, hours=71),
        replace(ASK, ends_ms=NOW + 1),
        replace(ASK, limit=21),
        replace(ASK, environment="production"),
    ],
)
def test_what_is_asked_and_for_which_projects_tells_answers_apart(other: Ask):
    assert cached.key_of("movers", ASK) != cached.key_of("movers", other)


def test_the_question_and_what_else_it_depends_on_tell_answers_apart():
    keys = {
        cached.key_of(question, ASK, *more)
        for question, more in [
            *(("movers", ()), ("correlations", ()), ("spikes", (2.5, "classic"))),
            *(("spikes", (2.6, "classic")), ("spikes", (2.5, "seasonal"))),
        ]
    }

    assert len(keys) == 5


def test_neither_the_clock_nor_the_order_of_projects_tells_answers_apart():
    assert cached.key_of("movers", ASK) == cached.key_of(
        "movers", replace(ASK, now_ms=NOW + 59_000, reach=Reach(("q", "p")))
    )


@pytest.mark.parametrize("first", ["admin", "member"])
def test_a_person_never_gets_the_answer_of_one_who_sees_more_or_less(
    first: str, admin_client: Client, member_client: Client, shop: NewProject, other: NewProject
):
    tell(shop.project, "Own", {1: 1})
    tell(other.project, "Foreign", {1: 1})
    callers = {"admin": admin_client, "member": member_client}
    answers = {}
    for name in (first, *(callers.keys() - {first})):
        answers[name] = {each["fingerprint"] for each in get(callers[name], "movers")["movers"]}

    assert answers == {"admin": {"Own", "Foreign"}, "member": {"Own"}}


def test_a_project_that_is_deleted_is_gone_from_what_is_kept(admin_client: Client, shop: NewProject, other: NewProject):
    tell(shop.project, "Own", {1: 1})
    tell(other.project, "Gone", {1: 1})
    before = get(admin_client, "movers")["movers"]

    removal = request_removal(project=other.project, actor=COMMAND_LINE, now=from_ms(NOW))
    while_removing = get(admin_client, "movers")["movers"]
    assert continue_removal(removal_id=removal.pk, seconds=30, now=from_ms(NOW))
    after = get(admin_client, "movers")["movers"]

    assert [len(found) for found in (before, while_removing, after)] == [2, 1, 1]


def test_pages_and_the_api_share_what_is_kept(admin_client: Client, shop: NewProject):
    tell_everything(shop.project)
    listed = get(admin_client, "movers?hours=24")["movers"]
    tell(shop.project, "Late", {0: 500})

    rows = admin_client.get("/insights/movers?hours=24").context["rows"]

    assert [row.of.issue.fingerprint for row in rows] == [each["fingerprint"] for each in listed]


def test_environments_and_releases_are_kept_once_whatever_does_not_matter_to_them(shop: NewProject):
    ask = Ask(Reach(None), 24, NOW)
    tell_everything(shop.project)
    first = cached.releases(ask), cached.environments(ask)
    tell(shop.project, "Late", {0: 1}, release="9.9", environment="late")

    assert cached.releases(replace(ask, hours=720, environment="staging")) == first[0]
    assert cached.environments(replace(ask, limit=3)) == first[1]


# --- One at a time ----------------------------------------------------------------------------------------------------


def test_threads_that_ask_at_once_let_one_work_it_out():
    flights, begun, may_end = cached.Flights(), threading.Event(), threading.Event()
    worked: list[int] = []

    def work() -> object:
        worked.append(1)
        begun.set()
        assert may_end.wait(10)
        return object()

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(flights.share, "key", work)
        assert begun.wait(10)
        waiting = [pool.submit(flights.share, "key", work) for _ in range(6)]
        elsewhere = pool.submit(flights.share, "another", lambda: "at once").result(10)
        may_end.set()
        answers = {id(each.result(10)) for each in (first, *waiting)}

    assert elsewhere == "at once"
    assert len(worked) == len(answers) == 1
    assert flights.running == {}


def test_what_goes_wrong_is_told_to_all_who_wait_and_the_next_one_tries_again():
    flights, begun, may_end = cached.Flights(), threading.Event(), threading.Event()

    def fail() -> str:
        begun.set()
        assert may_end.wait(10)
        raise RuntimeError("no such table")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(flights.share, "key", fail)
        assert begun.wait(10)
        second = pool.submit(flights.share, "key", fail)
        may_end.set()
        for each in (first, second):
            with pytest.raises(RuntimeError, match="no such table"):
                each.result(10)

    assert flights.share("key", lambda: "now") == "now"


def test_who_comes_just_after_a_flight_finds_its_answer(db: None, monkeypatch: pytest.MonkeyPatch):
    """Between the look into the cache and the take-off another thread's flight may land."""
    worked: list[int] = []
    ask = Ask(Reach(()), 24, NOW)
    share = cached.flights.share

    def land_first(key: str, work: Any) -> Any:
        share(key, work)
        return share(key, work)

    def work() -> tuple[str, ...]:
        worked.append(1)
        return ("answer",)

    monkeypatch.setattr(cached.flights, "share", land_first)

    found = cached.kept("movers", ask, work)

    assert (found, worked) == (cached.Kept(("answer",), NOW, NOW), [1])
