"""Messages that arrive: real sinks, a controlled clock, workers that die, and channels that are slow or gone."""

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import OperationalError, connection
from django.utils import timezone

from alerts import backoff
from alerts.channels.base import ChannelError, Sent
from alerts.models import AlertRule, Channel, Cooldown, Delivery, Firing
from alerts.queries.rules import broken_channels
from alerts.services import claims, deliver
from alerts.services.deliver import AT_ONCE_A_HOST, TestResult, deliver_due, send_test
from alerts.services.outbox import queue_deliveries, resend
from bloop_site.lib import outbound
from projects.models import Project
from projects.services.projects import NewProject
from tests.alerts.conftest import configure
from tests.alerts.factories import NOW_MS, make_channel, make_firing, make_rule
from tests.alerts.sinks import Sink, answering, hanging, in_turn, shut_port, streaming
from tests.ingest.conftest import at_once, shared_database

__all__ = ["shared_database"]
pytestmark = pytest.mark.django_db
Start = Callable[..., Sink]
MINUTE = 60_000
SOON = 1.5  # seconds; alone on a machine it takes a tenth, and who hangs is left after 2


@pytest.fixture(autouse=True)
def _local_sinks(private_allowed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without jitter, which has a test of its own."""
    monkeypatch.setattr(backoff, "JITTER", 0)


def fire(shop: NewProject, *channels: tuple[str, str], rule: AlertRule | None = None, **fields: Any) -> Firing:
    """A rule with these channels (kind, url) fires, and its deliveries wait."""
    rule = rule or make_rule(shop.project)
    for kind, url in channels:
        make_channel(rule, url, channel_type=kind)
    firing = make_firing(rule, shop.project, **fields)
    queue_deliveries(firing, now_ms=NOW_MS)
    return firing


def run(at_ms: int = NOW_MS, *, seconds: float = 30) -> int | None:
    return deliver_due(now_ms=at_ms, seconds=seconds)


def only(firing: Firing) -> Delivery:
    return firing.deliveries.get()


# --- The outbox ---------------------------------------------------------------------------------------------------


def test_each_channel_gets_one_delivery_however_often_it_is_queued(shop: NewProject):
    firing = fire(shop, ("webhook", "http://127.0.0.1/a"), ("slack", "http://127.0.0.1/b"))

    ids = queue_deliveries(firing, now_ms=NOW_MS + 5)

    rows = list(firing.deliveries.order_by("pk"))
    assert [row.pk for row in rows] == ids
    assert [(row.channel_type, row.hook, row.state, row.due_ms) for row in rows] == [
        ("webhook", "", "pending", NOW_MS),
        ("slack", "", "pending", NOW_MS),
    ]


def test_a_rule_without_channels_goes_to_both_of_the_servers_hooks(
    shop: NewProject, sinks: Start, settings: LazySettings
):
    slack, webhook = sinks(answering(200)), sinks(answering(200))
    settings.BLOOP = settings.BLOOP.model_copy(update={"slack_webhook_url": slack.url(), "webhook_url": webhook.url()})
    firing = fire(shop)
    assert len(queue_deliveries(firing, now_ms=NOW_MS)) == 2

    run()

    assert [row.state for row in firing.deliveries.all()] == ["sent", "sent"]
    assert slack.got[0].json["text"].startswith("*[bloop alert: New issues]*\nNew error in 1.4.0")
    assert webhook.got[0].json["source"] == "bloop"
    assert "x-bloop-signature" not in webhook.got[0].headers


@pytest.mark.parametrize("hook", ["slack_webhook_url", "webhook_url"])
def test_one_hook_alone_is_used_and_a_rule_with_channels_uses_none(hook: str, shop: NewProject, settings: LazySettings):
    settings.BLOOP = settings.BLOOP.model_copy(update={hook: "http://127.0.0.1/hook"})

    assert only(fire(shop)).hook == hook.removesuffix("_webhook_url").removesuffix("_url")
    assert only(fire(shop, ("slack", "http://127.0.0.1/x"), cause="new:2")).hook == ""


def test_nowhere_to_go_is_no_delivery(shop: NewProject):
    assert queue_deliveries(fire(shop), now_ms=NOW_MS) == []


# --- One message --------------------------------------------------------------------------------------------------


def test_a_message_is_sent_once_and_what_was_answered_is_kept(shop: NewProject, sinks: Start):
    sink = sinks(answering(200, b"thank you\x00"))
    firing = fire(shop, ("webhook", sink.url()))

    assert run() is None
    assert run(NOW_MS + 10 * MINUTE) is None

    delivery = only(firing)
    assert (delivery.state, delivery.attempts, delivery.claimed_ms) == ("sent", 1, None)
    assert (delivery.reply_status, delivery.reply) == (200, "thank you")
    assert delivery.finished_ms is not None
    assert NOW_MS <= delivery.finished_ms < NOW_MS + 5_000
    (got,) = sink.got
    assert got.json["rule"] == "New issues"
    assert got.json["environment"] == "production"
    assert got.json["url"].endswith("/issues/17")
    assert got.json["delivery_id"] == f"{delivery.pk}-{NOW_MS}"
    channel = Channel.objects.get()
    assert (channel.failed_in_row, channel.last_sent_ms) == (0, delivery.finished_ms)
    assert got.headers["x-bloop-signature"].startswith("sha256=")


def test_a_message_is_not_sent_before_it_is_due(shop: NewProject, sinks: Start):
    sink = sinks(answering(200))
    fire(shop, ("webhook", sink.url()))

    assert run(NOW_MS - 1) == NOW_MS
    assert sink.got == []


def test_what_a_clock_that_ran_ahead_left_is_sent_now(shop: NewProject, sinks: Start):
    sink = sinks(answering(200))
    firing = fire(shop, ("webhook", sink.url()))
    Delivery.objects.update(due_ms=NOW_MS + 100 * MINUTE)
    assert claims.next_due_ms(now_ms=NOW_MS) == NOW_MS

    run()

    assert (only(firing).state, len(sink.got)) == ("sent", 1)
    assert claims.next_due_ms(now_ms=NOW_MS) is None


def test_500_twice_and_then_200_is_three_attempts_of_one_message(shop: NewProject, sinks: Start):
    sink = sinks(in_turn(answering(500, b"oops"), answering(503), answering(200)))
    firing = fire(shop, ("webhook", sink.url()))

    due = run()
    first = only(firing)
    assert (first.state, first.reply_status, first.reply) == ("pending", 500, "it answered 500: oops")
    assert Channel.objects.get().failed_in_row == 1
    assert due is not None
    assert NOW_MS + 5_000 <= due < NOW_MS + 8_000

    assert run(due - 1) == due
    assert len(sink.got) == 1

    due = run(due)
    assert due is not None
    assert run(due) is None

    done = only(firing)
    assert (done.state, done.attempts, done.reply_status) == ("sent", 3, 200)
    assert len({got.json["delivery_id"] for got in sink.got}) == 1
    assert [got.json["timestamp"] for got in sink.got] == [NOW_MS // 1000] * 3
    assert len({got.json["sent_at"] for got in sink.got}) == 3
    channel = Channel.objects.get()
    assert (channel.failed_in_row, channel.last_failure) == (0, "it answered 503: ok")


def test_attempts_grow_apart_and_end(shop: NewProject, sinks: Start):
    sink = sinks(answering(500, b""))
    firing = fire(shop, ("webhook", sink.url()))
    at, waits = NOW_MS, []

    while (due := run(at)) is not None:
        waits.append((due - at) / 1000)
        at = due

    delivery = only(firing)
    assert len(waits) == 5
    assert all(wait <= found < wait + 3 for wait, found in zip((5, 30, 120, 600, 3600), waits, strict=True))
    assert (delivery.state, delivery.attempts, len(sink.got)) == ("failed", 6, 6)
    assert (delivery.reply_status, delivery.reply) == (500, "it answered 500")
    assert delivery.finished_ms is not None
    channel = Channel.objects.get()
    assert (channel.failed_in_row, channel.last_failure) == (6, "it answered 500")
    assert channel.last_failed_ms == delivery.finished_ms


def test_a_channel_is_broken_after_its_third_failure_in_a_row(shop: NewProject, sinks: Start):
    fire(shop, ("webhook", sinks(answering(500)).url()))
    at: int | None = NOW_MS
    totals = []

    for _ in range(3):
        assert at is not None
        at = run(at)
        totals.append(broken_channels(Project.objects.all()).total)

    assert totals == [0, 0, 1]


def test_chance_keeps_those_that_failed_together_apart(shop: NewProject, sinks: Start, monkeypatch: pytest.MonkeyPatch):
    chances: list[float] = []

    def wait_ms(*, chance: float, **given: Any) -> int | None:
        chances.append(chance)
        return backoff.wait_ms(chance=chance, **given)

    monkeypatch.setattr("alerts.services.claims.wait_ms", wait_ms)
    sink = sinks(answering(500))
    rule = make_rule(shop.project)
    for number in range(8):
        make_channel(rule, sink.url(f"/{number}"))
    fire(shop, rule=rule)

    run()

    assert len(set(chances)) == len(sink.got) == 8
    assert all(0 <= chance < 1 for chance in chances)


@pytest.mark.parametrize("status", [302, 400, 403, 404, 410])
def test_what_will_never_work_is_given_up_at_once(status: int, shop: NewProject, sinks: Start):
    other = sinks(answering(200))
    sink = sinks(answering(status, b"no", Location=other.url()))
    firing = fire(shop, ("slack", sink.url()))

    assert run() is None

    delivery = only(firing)
    assert (delivery.state, delivery.attempts, delivery.reply_status) == ("failed", 1, status)
    assert str(status) in delivery.reply
    assert (len(sink.got), other.got) == (1, [])


def test_whoever_asks_for_time_gets_it_within_bounds(shop: NewProject, sinks: Start):
    sink = sinks(in_turn(answering(429, Retry_After="90"), answering(503, Retry_After="999999"), answering(200)))
    firing = fire(shop, ("slack", sink.url()))

    first = run()
    assert first is not None
    assert NOW_MS + 90_000 <= first < NOW_MS + 93_000
    second = run(first)
    assert second is not None
    assert 60 * MINUTE <= second - first < 61 * MINUTE
    assert run(second) is None

    assert only(firing).state == "sent"


def test_a_name_that_leads_here_is_refused_when_private_addresses_are(
    shop: NewProject, sinks: Start, settings: LazySettings
):
    configure(settings, "alerting", allow_private_addresses=False)
    sink = sinks(answering(200))
    firing = fire(shop, ("webhook", sink.url(host="localhost")))

    run()

    delivery = only(firing)
    assert (delivery.state, delivery.reply) == ("failed", "it leads into a private network")
    assert sink.got == []


def test_a_stream_without_end_counts_as_sent(shop: NewProject, sinks: Start):
    firing = fire(shop, ("webhook", sinks(streaming).url()))

    run()

    assert (only(firing).state, len(only(firing).reply)) == ("sent", 500)


def test_nobody_there_is_tried_again(shop: NewProject):
    with shut_port() as port:
        firing = fire(shop, ("webhook", f"http://127.0.0.1:{port}/"))
        assert run() is not None

    assert (only(firing).state, only(firing).reply) == ("pending", "it cannot be connected to")


def test_a_channel_that_is_removed_takes_nothing_and_its_deliveries_end(shop: NewProject, sinks: Start):
    sink = sinks(answering(200))
    firing = fire(shop, ("webhook", sink.url()))
    Channel.objects.all().delete()

    while run() is not None:
        pass

    assert (only(firing).state, only(firing).reply) == ("failed", "its channel was removed")
    assert sink.got == []


def test_nothing_is_sent_of_a_project_that_was_deleted(shop: NewProject, sinks: Start):
    sink = sinks(answering(200))
    firing = fire(shop, ("webhook", sink.url()))
    Project.objects.filter(pk=shop.project.pk).update(removing_at=timezone.now())

    assert run() is None

    delivery = only(firing)
    assert (delivery.state, delivery.reply) == ("failed", "its project was deleted")
    assert (sink.got, Channel.objects.get().failed_in_row) == ([], 0)


def test_a_hook_that_is_set_no_more_ends_its_deliveries(shop: NewProject, settings: LazySettings):
    settings.BLOOP = settings.BLOOP.model_copy(update={"webhook_url": "http://127.0.0.1/hook"})
    firing = fire(shop)
    settings.BLOOP = settings.BLOOP.model_copy(update={"webhook_url": None})

    assert run() is None

    assert only(firing).reply == "the server's own address for such alerts is set no more"


def test_a_fault_of_ours_is_a_failure_like_any_other(shop: NewProject):
    firing = fire(shop, ("webhook", "http://127.0.0.1/"))
    Channel.objects.update(config={"type": "webhook"})

    assert run() is not None

    assert only(firing).reply == "something went wrong within Bloop; its log says what"


# --- Cooldowns ----------------------------------------------------------------------------------------------------


def cool(firing: Firing) -> None:
    Cooldown.objects.create(
        rule=firing.rule, project=firing.project, key=firing.key, fired_ms=firing.fired_ms, firing=firing
    )


def test_a_firing_that_told_nobody_has_no_cooldown(shop: NewProject, sinks: Start):
    sink = sinks(answering(404))
    firing = fire(shop, ("webhook", sink.url("/a")), ("slack", sink.url("/b")))
    cool(firing)
    cool(make_firing(make_rule(shop.project), shop.project))

    run()

    assert [each.firing_id == firing.pk for each in Cooldown.objects.all()] == [False]


def test_a_digest_that_told_nobody_ends_the_cooldowns_of_what_it_was_to_tell(shop: NewProject, sinks: Start):
    digest = fire(shop, ("webhook", sinks(answering(404)).url()), cause="digest:1", is_digest=True)
    for number in range(2):
        cool(make_firing(digest.rule, shop.project, key=f"fp{number}", cause=f"new:{number}", digest=digest))
    cool(make_firing(digest.rule, shop.project, key="told", cause="new:told"))

    run()

    assert [each.key for each in Cooldown.objects.all()] == ["told"]


def test_one_that_arrives_or_may_still_arrive_keeps_the_cooldown(shop: NewProject, sinks: Start):
    bad = sinks(answering(404))
    for number, answer in enumerate([answering(200), answering(500)]):
        firing = fire(shop, ("webhook", bad.url()), ("slack", sinks(answer).url()), cause=f"new:{number}")
        Cooldown.objects.all().delete()
        cool(firing)

        run()

        assert Cooldown.objects.filter(firing=firing).exists()


# --- Sent again ---------------------------------------------------------------------------------------------------


def test_a_given_up_delivery_is_sent_again_when_somebody_asks(shop: NewProject, sinks: Start):
    sink = sinks(in_turn(answering(404), answering(200)))
    firing = fire(shop, ("webhook", sink.url()))
    run()

    assert resend(only(firing).pk, now_ms=NOW_MS + MINUTE)
    run(NOW_MS + MINUTE)

    assert (only(firing).state, only(firing).attempts) == ("sent", 1)
    assert len({got.json["delivery_id"] for got in sink.got}) == 2, "a receiver that drops repeats takes it"


def test_what_waits_or_has_nowhere_to_go_is_not_asked_for_again(shop: NewProject, sinks: Start):
    firing = fire(shop, ("webhook", sinks(answering(200)).url()))
    assert not resend(only(firing).pk, now_ms=NOW_MS)
    run()
    Channel.objects.all().delete()

    assert not resend(only(firing).pk, now_ms=NOW_MS)
    assert not resend(10**9, now_ms=NOW_MS)


# --- Slow and dead channels ---------------------------------------------------------------------------------------


@pytest.fixture
def soon_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever hangs is left after 2 s, not 10."""
    assert outbound.post.__kwdefaults__ is not None
    monkeypatch.setitem(outbound.post.__kwdefaults__, "seconds", 2.0)


def test_a_dead_channel_delays_nobody(shop: NewProject, sinks: Start, soon_over: None):
    """Far more that hang than there are threads; those of a healthy host are out within a second all the same."""
    dead, healthy = sinks(hanging), sinks(answering(200))
    hung = [("webhook", dead.url(f"/{number}", host="localhost")) for number in range(20)]
    fire(shop, *hung)
    fire(shop, ("slack", healthy.url()), ("webhook", healthy.url()), cause="new:2")

    begun = time.monotonic()
    run(seconds=SOON)

    assert [got.at - begun < SOON for got in healthy.got] == [True, True]
    assert len(dead.got) == AT_ONCE_A_HOST
    assert 1.9 < time.monotonic() - begun < 8


def test_one_channel_takes_one_message_at_a_time_and_others_go_on(shop: NewProject, sinks: Start, soon_over: None):
    dead, healthy = sinks(hanging), sinks(answering(200))
    rule = make_rule(shop.project)
    make_channel(rule, dead.url())
    make_channel(rule, healthy.url(host="localhost"))
    for number in range(5):
        fire(shop, rule=rule, cause=f"new:{number}")

    begun = time.monotonic()
    run(seconds=SOON)

    assert len(dead.got) == 1
    assert len(healthy.got) == 5
    assert all(got.at - begun < SOON for got in healthy.got)


def test_what_becomes_due_while_others_hang_is_sent_at_once_when_told_of(
    shop: NewProject, sinks: Start, soon_over: None, shared_database: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(deliver, "LOOK_EVERY", 60)
    dead, healthy = sinks(hanging), sinks(answering(200))
    fire(shop, ("webhook", dead.url()))
    inbox: deliver.Inbox = queue.SimpleQueue()

    def later() -> float:
        while not dead.got:
            time.sleep(0.01)
        fire(shop, ("slack", healthy.url(host="localhost")), cause="new:2")
        inbox.put(None)
        return time.monotonic()

    _, told_at = at_once([lambda: deliver_due(now_ms=NOW_MS, seconds=30, inbox=inbox), later])

    assert healthy.got[0].at - told_at < SOON


def test_nothing_is_begun_when_the_worker_stops(shop: NewProject, sinks: Start):
    sink = sinks(answering(200))
    fire(shop, ("webhook", sink.url()))
    stopping = threading.Event()
    stopping.set()

    assert deliver_due(now_ms=NOW_MS, seconds=30, stopping=stopping) == NOW_MS
    assert sink.got == []


# --- Workers that die, and several at once ------------------------------------------------------------------------


def test_a_worker_that_dies_between_claim_and_sending_loses_nothing_and_doubles_nothing(shop: NewProject, sinks: Start):
    sink = sinks(answering(200))
    firing = fire(shop, ("webhook", sink.url()))
    assert claims.claim(only(firing).pk, now_ms=NOW_MS) is not None  # and the worker is gone

    assert run(NOW_MS + MINUTE - 1) == NOW_MS + MINUTE
    assert sink.got == []
    assert run(NOW_MS + MINUTE) is None
    assert run(NOW_MS + 5 * MINUTE) is None

    assert (only(firing).state, only(firing).attempts, len(sink.got)) == ("sent", 2, 1)


def test_a_worker_that_comes_back_too_late_writes_nothing(shop: NewProject, sinks: Start):
    sink = sinks(answering(500))
    firing = fire(shop, ("webhook", sink.url()))
    late = claims.claim(only(firing).pk, now_ms=NOW_MS)
    assert late is not None
    newer = claims.claim(only(firing).pk, now_ms=NOW_MS + 2 * MINUTE)
    assert newer is not None

    claims.settle(late, ChannelError("late", permanent=True), now_ms=NOW_MS + 2 * MINUTE)
    assert (only(firing).state, only(firing).reply) == ("pending", "")
    assert Channel.objects.get().failed_in_row == 0

    claims.settle(newer, Sent(200, "ok"), now_ms=NOW_MS + 2 * MINUTE)
    assert only(firing).state == "sent"


def test_workers_that_die_over_a_message_again_and_again_end_it(shop: NewProject, sinks: Start):
    sink = sinks(answering(200))
    firing = fire(shop, ("webhook", sink.url()))
    for number in range(6):
        assert claims.claim(only(firing).pk, now_ms=NOW_MS + number * MINUTE) is not None

    run(NOW_MS + 6 * MINUTE)

    assert (only(firing).state, only(firing).reply) == ("failed", "the worker died during the last attempt")
    assert sink.got == []


def test_two_workers_at_once_send_one_message(shop: NewProject, sinks: Start, shared_database: None):
    sink = sinks(answering(200))
    rule = make_rule(shop.project)
    make_channel(rule, sink.url())
    for number in range(5):
        fire(shop, rule=rule, cause=f"new:{number}")

    results = at_once([run, run, run])

    assert not [each for each in results if isinstance(each, Exception)]
    assert sorted(Delivery.objects.values_list("state", "attempts")) == [("sent", 1)] * 5
    assert len(sink.got) == 5
    assert len({got.json["delivery_id"] for got in sink.got}) == 5


def test_two_workers_that_give_up_the_last_two_deliveries_end_the_cooldown(shop: NewProject, shared_database: None):
    firing = fire(shop, ("webhook", "http://127.0.0.1/a"), ("slack", "http://127.0.0.1/b"))
    cool(firing)
    held = [claims.claim(pk, now_ms=NOW_MS) for pk in firing.deliveries.values_list("pk", flat=True)]
    error = ChannelError("gone", permanent=True)

    def give_up(claimed: claims.Claimed | None) -> None:
        assert claimed is not None
        claims.settle(claimed, error, now_ms=NOW_MS)

    assert at_once([lambda: give_up(held[0]), lambda: give_up(held[1])]) == [None, None]

    assert not Cooldown.objects.exists()


def test_no_transaction_is_open_while_something_is_sent(shop: NewProject, sinks: Start, shared_database: None):
    """Another connection writes while a sink hangs."""
    seen: list[bool] = []

    def answer(sink: Sink, handler: Any) -> None:
        seen.append(connection.in_atomic_block)
        Channel.objects.update(last_failure="written meanwhile")
        connection.close()
        answering(200)(sink, handler)

    fire(shop, ("webhook", sinks(answer).url()))

    run()

    channel = Channel.objects.get()
    assert (channel.last_failure, channel.failed_in_row) == ("written meanwhile", 0)
    assert channel.last_sent_ms is not None
    assert seen == [False]


def test_an_outcome_that_cannot_be_written_at_once_is_written_later(
    shop: NewProject, sinks: Start, shared_database: None, monkeypatch: pytest.MonkeyPatch
):
    sink = sinks(answering(200))
    firing = fire(shop, ("webhook", sink.url()))
    settle, failures = claims.settle, [OperationalError("database is locked")] * 2
    monkeypatch.setattr(deliver, "PAUSES", (0.01, 0.01, 0.01))

    def unsure(*args: Any, **options: Any) -> None:
        if failures:
            raise failures.pop()
        settle(*args, **options)

    monkeypatch.setattr(claims, "settle", unsure)

    run()

    assert (only(firing).state, len(sink.got)) == ("sent", 1)


# --- The test button ----------------------------------------------------------------------------------------------


def test_a_test_goes_through_every_channel_and_each_tells_how_it_went(shop: NewProject, sinks: Start):
    good, bad = sinks(answering(200, b"ok")), sinks(answering(404, b"no_service"))
    rule = make_rule(shop.project)
    first = make_channel(rule, good.url(), channel_type="slack", failed_in_row=3)
    second = make_channel(rule, bad.url())

    results = send_test(rule, now_ms=NOW_MS)

    assert results == [
        TestResult(channel_id=first.pk, channel_type="slack", ok=True, status=200, detail="ok"),
        TestResult(second.pk, "webhook", ok=False, status=404, detail="it answered 404: no_service"),
    ]
    assert good.got[0].json["text"] == (
        f"*[bloop alert: test]*\nTest of alert rule {rule.pk}, sent at 2026-05-28 20:26:40 UTC"
    )
    assert bad.got[0].json["rule"] == "test"
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.failed_in_row, first.last_sent_ms) == (0, NOW_MS)
    assert (second.failed_in_row, second.last_failure) == (1, "it answered 404: no_service")
    assert not Delivery.objects.exists()


def test_a_test_of_a_global_rule_without_channels_goes_to_the_hooks(sinks: Start, settings: LazySettings):
    sink = sinks(answering(202))
    settings.BLOOP = settings.BLOOP.model_copy(update={"webhook_url": sink.url()})

    results = send_test(make_rule(), now_ms=NOW_MS)

    assert results == [TestResult(None, "webhook", ok=True, status=202, detail="ok")]
    assert sink.got[0].json["project_id"] is None


def test_a_test_with_nowhere_to_go_has_no_results(shop: NewProject):
    assert send_test(make_rule(shop.project), now_ms=NOW_MS) == []


def test_a_test_waits_for_the_slowest_once_not_for_each(shop: NewProject, sinks: Start, soon_over: None):
    rule = make_rule(shop.project)
    sink = sinks(hanging)
    for number in range(5):
        make_channel(rule, sink.url(f"/{number}"))

    begun = time.monotonic()
    results = send_test(rule, now_ms=NOW_MS)

    assert 1.9 < time.monotonic() - begun < 8
    assert {(each.ok, each.detail) for each in results} == {(False, "no answer within 2 s")}
