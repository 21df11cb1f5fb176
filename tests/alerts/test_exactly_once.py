"""A thing is told once: however many workers look, whenever they die; and of too many things one message tells."""

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import transaction

from alerts import receivers, tasks
from alerts.models import AlertRule, Cooldown, Delivery, Firing
from alerts.receivers import Nudge
from alerts.services import error_rules
from alerts.services import evaluate as service
from alerts.services import fire as firing_service
from alerts.services.cooldown import Topic, claim
from alerts.services.evaluate import evaluate, evaluate_some
from bloop_site import celery
from errors.models import Occasion, Status
from projects.models import Project
from projects.services.projects import NewProject
from tests.alerts.rules_of import HOUR_MS, MINUTE_MS, T, fired, make_rule, put, send_at
from tests.factories import make_project
from tests.ingest.conftest import at_once
from tests.ingest.conftest import shared_database as shared_database  # noqa: PLC0414  a fixture for these tests
from tests.llmtraces.made import make_traces, span_of, trace_of


def with_channel(rule: AlertRule) -> AlertRule:
    rule.channels.create(channel_type="email", config={"type": "email", "to": "a@b.c"}, created_ms=0)
    return rule


def digest_after(settings: LazySettings, number: int) -> None:
    alerting = settings.BLOOP.alerting.model_copy(update={"digest_after": number})
    settings.BLOOP = settings.BLOOP.model_copy(update={"alerting": alerting})


# --- Two workers --------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_evaluate_at_once_send_one_message_of_each_thing(shared_database: None):
    shop = make_project(name="Shop", slug="shop")
    with_channel(make_rule("new_issue", rule_name="new"))
    with_channel(make_rule("threshold", shop.project, threshold=2, window_secs=300))
    with_channel(make_rule("threshold", shop.project, threshold=0, window_secs=300, rule_cooldown_secs=0))
    with_channel(make_rule("llm_cost_spike", threshold_dollars=1.0, window_secs=3600))
    send_at(shop, T, "a", "b", "c")
    make_traces(shop.project, trace_of("t", started_at=T, spans=[span_of(started_at=T, cost=2.0)]))

    results = at_once([lambda: evaluate(T + 1)] * 4)

    sent = [pk for result in results for pk in result]
    assert len(sent) == len(set(sent)) == Delivery.objects.count() == Firing.objects.count() == 3 + 1 + 1 + 1
    assert not Occasion.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_many_that_claim_a_cooldown_one_has_it(shared_database: None):
    shop = make_project(slug="shop")
    topic = Topic(make_rule("new_issue").pk, shop.project.pk, "fp")

    def take() -> int:
        with transaction.atomic():
            return len(claim([topic], {topic.rule_id: 900}, now_ms=T))

    assert sorted(at_once([take] * 6)) == [0, 0, 0, 0, 0, 1]
    Cooldown.objects.update(fired_ms=T - 900_000)
    assert sorted(at_once([take] * 6)) == [0, 0, 0, 0, 0, 1]


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_before_its_commit_loses_nothing(shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    with_channel(make_rule("new_issue"))
    send_at(shop, T, "a")
    with monkeypatch.context() as patched:
        patched.setattr(firing_service, "queue_all", lambda *_, **__: 1 / 0)
        assert evaluate_some(now_ms=T + 1).failed == 1
    assert (Firing.objects.count(), Cooldown.objects.count(), Occasion.objects.count()) == (0, 0, 2)

    assert len(evaluate(T + 2)) == 1
    assert evaluate(T + 3) == []


@pytest.mark.django_db
def test_a_firing_begins_its_cooldown_and_is_known_by_it(shop: NewProject):
    make_rule("threshold", shop.project, threshold=0, window_secs=60)
    send_at(shop, T, "a")

    fired(T)

    assert Cooldown.objects.get().firing == Firing.objects.get()
    Cooldown.objects.all().delete()  # as `deliver` does when every channel failed
    assert len(fired(T + MINUTE_MS)) == 1


@pytest.mark.django_db
def test_a_rule_switched_off_while_it_is_judged_keeps_still(shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    make_rule("threshold", shop.project, threshold=0, window_secs=60)
    send_at(shop, T, "a")
    lock = firing_service.locked_rules

    def late(rule_ids: Any) -> set[int]:
        AlertRule.objects.update(is_enabled=False)
        return lock(rule_ids)

    monkeypatch.setattr(firing_service, "locked_rules", late)
    assert fired(T) == []
    assert not Cooldown.objects.exists()


# --- Broken configs -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    "config", [{}, {"type": "threshold"}, {"type": "threshold", "threshold": "x"}, [], "new_issue"]
)
def test_a_config_that_cannot_be_read_is_passed_over_and_told_of(
    config: Any, shop: NewProject, caplog: pytest.LogCaptureFixture
):
    rule = make_rule("threshold", shop.project)
    AlertRule.objects.update(config=config)
    make_rule("new_issue", shop.project)
    send_at(shop, T, "a")

    assert len(fired(T)) == 1
    assert Firing.objects.get().rule != rule
    assert [record for record in caplog.records if "rule_broken" in str(record.msg)]


@pytest.mark.django_db
def test_a_config_of_another_type_than_its_rule_is_broken(shop: NewProject):
    make_rule("threshold", shop.project)
    AlertRule.objects.update(config={"type": "new_issue"})
    send_at(shop, T, "a")

    assert fired(T) == []


# --- Too many at once ---------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_what_comes_beyond_a_few_in_a_minute_is_told_by_one_digest(shop: NewProject):
    with_channel(make_rule("new_issue", shop.project, rule_name="Fresh"))
    for number in range(9):
        send_at(shop, T, *[f"fp{number}"] * (number + 1), message=f"boom {number}", error_type="E")

    assert len(evaluate(T)) == 5
    assert Firing.objects.filter(is_held=True).count() == 4
    send_at(shop, T + 1_000, "late", message="late", error_type="E")
    assert evaluate(T + 59_999) == []  # held as well: the rule holds some already

    assert len(evaluate(T + MINUTE_MS)) == 1
    digest = Firing.objects.get(is_digest=True)
    assert (digest.title, digest.measured) == ("5 more alerts of Fresh", 5)
    assert digest.message == "5 more alerts of this rule within a minute, in Shop"
    assert digest.details["lines"][0] == ["New error: [E] boom 8", "9 events"]
    assert [count for _, count in digest.details["lines"]] == [
        "9 events",
        "8 events",
        "7 events",
        "6 events",
        "1 event",
    ]
    assert Firing.objects.filter(digest=digest).count() == 5
    assert evaluate(T + 2 * MINUTE_MS) == []


@pytest.mark.django_db
def test_how_many_are_told_one_by_one_is_a_setting_and_each_rule_has_its_own(shop: NewProject, settings: LazySettings):
    digest_after(settings, 2)
    for name in ("one", "two"):
        with_channel(make_rule("new_issue", shop.project, rule_name=name))
    send_at(shop, T, *"abcd")

    assert len(evaluate(T)) == 4
    assert len(evaluate(T + MINUTE_MS)) == 2


@pytest.mark.django_db
def test_few_alerts_a_minute_are_told_one_by_one(shop: NewProject, settings: LazySettings):
    digest_after(settings, 2)
    with_channel(make_rule("new_issue", shop.project))
    for number in range(6):
        send_at(shop, T + number * 30_000, f"fp{number}")
        assert len(evaluate(T + number * 30_000)) == 1


@pytest.mark.django_db
def test_a_digest_of_several_projects_names_how_many(shop: NewProject, other: NewProject, settings: LazySettings):
    digest_after(settings, 1)
    with_channel(make_rule("threshold", threshold=0, window_secs=300))
    third = make_project(name="Third", slug="third")
    for new in (shop, other, third):
        send_at(new, T, "a")

    assert len(evaluate(T)) == 1
    assert len(evaluate(T + MINUTE_MS)) == 1
    assert Firing.objects.get(is_digest=True).message == "2 more alerts of this rule within a minute, in 2 projects"


@pytest.mark.django_db
def test_a_clock_that_ran_ahead_for_a_while_silences_no_rule(shop: NewProject, settings: LazySettings):
    digest_after(settings, 1)
    with_channel(make_rule("threshold", shop.project, threshold=0, window_secs=86_400))
    with_channel(make_rule("new_issue", shop.project))
    ahead = 7 * 86_400_000
    send_at(shop, T, "a")
    send_at(shop, T + ahead, "b", "c")
    assert len(evaluate(T + ahead)) == 2  # of the new issues two are held
    assert Firing.objects.filter(is_held=True).count() == 2

    assert len(evaluate(T)) == 2  # the threshold once more, and what was held
    assert evaluate(T + 1) == []


# --- Time and turns -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_evaluation_that_runs_out_of_time_goes_on_where_it_ended(shop: NewProject):
    for seconds in (60, 120, 180):
        make_rule("threshold", shop.project, threshold=0, window_secs=seconds)
    make_rule("llm_budget")
    send_at(shop, T, "a")

    seen, start = [], 0
    for _ in range(10):
        done = evaluate_some(now_ms=T, seconds=0, from_job=start)
        seen.append((len(Firing.objects.all()), done.next_job))
        if done.next_job is None:
            break
        start = done.next_job
    assert seen == [(1, 1), (2, 2), (3, 3), (3, None)]


@pytest.mark.django_db
def test_a_nudge_judges_busy_projects_and_leaves_the_rest_to_the_minute(shop: NewProject, other: NewProject):
    make_rule("threshold", threshold=0, window_secs=86_400)
    make_rule("llm_cost_spike", threshold_dollars=0.001, window_secs=3600)
    make_traces(shop.project, trace_of("t", started_at=T, spans=[span_of(started_at=T, cost=2.0)]))
    send_at(other, T - HOUR_MS, "a")
    send_at(shop, T, "a")

    evaluate_some(now_ms=T, only_busy=True)
    assert list(Firing.objects.values_list("project_id", "rule__rule_type")) == [(shop.project.pk, "threshold")]
    assert len(fired(T)) == 2


@pytest.mark.django_db
def test_a_job_that_fails_stops_no_other(shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    make_rule("threshold", shop.project, threshold=0, window_secs=60)
    make_rule("spike", shop.project, multiplier=0.0, baseline_window_secs=60, compare_window_secs=60)
    make_rule("threshold", shop.project, threshold=0, window_secs=60, fingerprint="a")
    monkeypatch.setattr(error_rules, "judge_spikes", lambda *_: 1 / 0)
    send_at(shop, T, *"aaaaaa")

    done = evaluate_some(now_ms=T)

    assert (done.failed, done.next_job, Firing.objects.count()) == (1, None, 2)


@pytest.mark.django_db
def test_the_task_sends_for_deliveries_and_for_what_is_left(shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    sent: list[Any] = []
    monkeypatch.setattr(tasks, "queue_delivery", lambda: sent.append("deliver"))
    monkeypatch.setattr(tasks, "queue_evaluation", lambda **options: sent.append(options))
    answers = [service.Evaluated((7,), 3), service.Evaluated((), None)]
    monkeypatch.setattr(tasks, "evaluate_some", lambda **_: answers.pop(0))

    tasks.work_off_evaluation(only_busy=False)
    tasks.work_off_evaluation(only_busy=True)

    assert sent == ["deliver", {"only_busy": False, "from_job": 3}]


def test_a_nudge_that_finds_an_evaluation_at_work_has_it_sent_for_again(monkeypatch: pytest.MonkeyPatch):
    sent: list[Any] = []
    monkeypatch.setattr(tasks, "queue_evaluation", lambda **options: sent.append(options))

    def meanwhile(**_: Any) -> service.Evaluated:
        monkeypatch.setattr(tasks, "evaluate_some", lambda **_: pytest.fail("one is at work"))
        tasks.work_off_evaluation(only_busy=True)
        tasks.work_off_evaluation(only_busy=True)
        return service.Evaluated()

    monkeypatch.setattr(tasks, "evaluate_some", meanwhile)
    tasks.work_off_evaluation(only_busy=False)

    assert sent == [{"only_busy": True}]


def test_a_nudge_that_comes_as_an_evaluation_ends_is_not_lost(monkeypatch: pytest.MonkeyPatch):
    seen: list[bool] = []

    def taken(*, blocking: bool) -> bool:
        seen.append(tasks._again.is_set())  # what an evaluation that ends just now sees
        return blocking

    monkeypatch.setattr(tasks, "_again", threading.Event())
    monkeypatch.setattr(tasks, "_evaluating", SimpleNamespace(acquire=taken))

    tasks.work_off_evaluation(only_busy=True)

    assert seen == [True]


def test_every_rule_is_looked_at_each_minute_by_beat():
    entry = celery.app.conf.beat_schedule["evaluate-alerts"]

    assert (entry["task"], entry["schedule"]) == ("alerts.tasks.evaluate", 60)


def test_nudges_are_sent_at_once_for_occasions_and_now_and_then_for_events(monkeypatch: pytest.MonkeyPatch):
    clock, sent = [0.0], []
    waits: list[float] = []

    class Enough(Exception):
        pass

    def send(*, only_busy: bool) -> None:
        sent.append((clock[0], only_busy))
        if len(sent) == 3:
            raise Enough

    nudge = Nudge()
    monkeypatch.setattr(receivers, "queue_evaluation", send)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        if len(waits) < 3:
            clock[0] += seconds
        return len(waits) == 3  # the third time something urgent comes

    nudge.urgent = SimpleNamespace(wait=wait, clear=lambda: None, set=lambda: None)  # type: ignore[assignment]
    nudge.some = SimpleNamespace(wait=lambda: True, clear=lambda: None, set=lambda: None)  # type: ignore[assignment]
    with pytest.raises(Enough):
        nudge.run()
    assert sent == [(0.0, True), (2.0, True), (2.25, True)]


@pytest.mark.django_db
def test_nothing_is_told_of_a_project_that_is_being_removed(shop: NewProject, default_project: Project):
    make_rule("new_issue")
    make_rule("threshold", threshold=0, window_secs=300)
    send_at(shop, T, "a")
    Project.objects.filter(pk=shop.project.pk).update(removing_at=default_project.created_at)

    assert fired(T) == []


@pytest.mark.django_db
def test_an_issue_that_comes_back_twice_is_told_twice_when_its_cooldown_is_over(shop: NewProject):
    make_rule("new_issue", shop.project)
    send_at(shop, T, "a")
    told = [len(fired(T))]
    for hours in (1, 2):
        put("a", Status.RESOLVED, at=T + hours * HOUR_MS)
        send_at(shop, T + hours * HOUR_MS + 1, "a")
        told.append(len(fired(T + hours * HOUR_MS + 1)))

    assert told == [1, 1, 1]
