"""What fired grows old and goes; a deleted project takes its rules along, and what rules for all fired in it."""

from typing import Any

import pytest
from django.utils import timezone

from accounts.audit import COMMAND_LINE
from alerts.models import AlertRule, Channel, Cooldown, Delivery, Firing
from alerts.services import rules as service
from alerts.services.outbox import queue_deliveries
from bloop_site.lib.clock import DAY_MS, from_ms
from bloop_site.lib.pace import Pace
from projects.models import Project
from projects.services.projects import NewProject
from projects.services.removal import continue_removal, request_removal
from projects.services.retention import continue_purge, start_purge
from tests.alerts.factories import NOW_MS, make_channel, make_firing, make_rule

pytestmark = pytest.mark.django_db
TABLES = (AlertRule, Channel, Firing, Delivery, Cooldown)


def fire(rule: AlertRule, project: Project, *, days_ago: int, **fields: Any) -> Firing:
    at = NOW_MS - days_ago * DAY_MS
    firing = make_firing(rule, project, cause=f"new:{days_ago}", fired_ms=at, **fields)
    queue_deliveries(firing, now_ms=at)
    Cooldown.objects.create(rule=rule, project=project, key=f"fp{days_ago}", fired_ms=at, firing=firing)
    return firing


def two_channels(rule: AlertRule) -> AlertRule:
    make_channel(rule, "https://example.com/a")
    make_channel(rule, "https://example.com/b", channel_type="slack")
    return rule


def purge() -> dict[str, int]:
    run = start_purge(actor=COMMAND_LINE, now=from_ms(NOW_MS)).run
    assert continue_purge(run_id=run.pk, now=from_ms(NOW_MS), seconds=30)
    run.refresh_from_db()
    assert run.failure == ""
    return dict(run.removed)


@pytest.mark.parametrize("rows", [2, 400])
def test_what_fired_goes_with_the_hourly_counts_and_cooldowns_after_thirty_days(
    rows: int, shop: NewProject, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("bloop_site.lib.pace.FIRST_ROWS", rows)
    rule = two_channels(make_rule(shop.project))
    digest = fire(rule, shop.project, days_ago=95, is_digest=True)
    fire(rule, shop.project, days_ago=94, is_held=True, digest=digest)
    fire(rule, shop.project, days_ago=91)
    kept = [fire(rule, shop.project, days_ago=days) for days in (89, 31, 29)]

    removed = purge()

    assert removed == {"firings": 9, "cooldowns": 5}
    assert list(Firing.objects.order_by("fired_ms")) == kept
    assert Delivery.objects.count() == 6
    assert [each.key for each in Cooldown.objects.all()] == ["fp29"]
    assert purge() == {}


def test_a_deleted_project_takes_along_its_rules_and_what_fired_in_it(shop: NewProject, other: NewProject):
    own, foreign, everywhere = (two_channels(make_rule(project)) for project in (shop.project, other.project, None))
    for rule, project in ((own, shop), (foreign, other), (everywhere, shop), (everywhere, other)):
        fire(rule, project.project, days_ago=1)
    now = timezone.now()

    removal = request_removal(project=shop.project, actor=COMMAND_LINE, now=now)
    assert continue_removal(removal_id=removal.pk, now=now, seconds=30)

    removal.refresh_from_db()
    assert (removal.rows_total, removal.rows_removed) == (11, 11)
    assert not Project.objects.filter(pk=shop.project.pk).exists()
    assert set(AlertRule.objects.all()) == {foreign, everywhere}
    assert {each.project_id for each in Firing.objects.all()} == {other.project.pk}
    assert [model.objects.count() for model in TABLES] == [2, 4, 2, 4, 2]


def test_a_deleted_rule_is_off_first_and_its_history_goes_before_it_in_short_turns(
    shop: NewProject, monkeypatch: pytest.MonkeyPatch
):
    rule, other = two_channels(make_rule(shop.project)), two_channels(make_rule(shop.project))
    for each in (rule, other):
        for days in range(1, 6):
            fire(each, shop.project, days_ago=days)
    turns: list[tuple[bool, int, int]] = []
    seen = AlertRule.objects.filter(pk=rule.pk)

    class Watched(Pace):
        def rest(self, took: float) -> None:
            turns.append((seen.get().is_enabled, Delivery.objects.count(), Firing.objects.count()))

    monkeypatch.setattr(service, "Pace", lambda: Watched(rows=2))
    service.delete_rule(rule_id=rule.pk, actor=COMMAND_LINE, now_ms=NOW_MS)

    assert turns == [
        *((False, deliveries, 10) for deliveries in (18, 16, 14, 12, 10)),
        *((False, 10, firings) for firings in (8, 6, 5)),
    ]
    assert list(AlertRule.objects.all()) == [other]
    assert [model.objects.count() for model in TABLES] == [1, 2, 5, 10, 5]
