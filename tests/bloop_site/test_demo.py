"""The demo is what a newcomer sees first: it must be whole, and the same through any door."""

from datetime import UTC, datetime

import pytest
from django.db.models import Sum

from alerts.models import AlertRule, Channel, Firing
from analytics.answers import Ask
from analytics.dashboard.releases import BAD, GOOD
from analytics.queries.correlations import correlations
from analytics.queries.environments import environments
from analytics.queries.movers import movers
from analytics.queries.releases import release_impacts
from analytics.queries.spikes import spikes
from bloop_site.demo.generate import play
from bloop_site.lib.clock import DAY_MS
from errors.models import Event, HourlyCount, Issue, Note, Occasion, Transition
from ingest import buffer
from projects.access import Reach
from projects.models import Project

NOW = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)


@pytest.mark.django_db
def test_demo_plays_forty_issues_of_three_projects_over_fourteen_days_once():
    played = play(now=NOW)

    assert played is not None
    assert (played.projects, Issue.objects.count()) == (3, 40)
    assert Event.objects.count() == played.events == HourlyCount.objects.aggregate(total=Sum("count"))["total"]
    days = {received_ms // DAY_MS for received_ms in Event.objects.values_list("received_ms", flat=True)}
    assert len(days) == 15  # fourteen days touch fifteen dates
    assert set(Issue.objects.values_list("status", flat=True)) == {"unresolved", "resolved", "ignored", "muted"}
    assert Transition.objects.filter(cause="regression").exists()
    assert Note.objects.count() == 4
    assert Issue.objects.filter(merged_into__isnull=False).count() == 1
    assert Issue.objects.filter(muted_until_ms__isnull=False).exists()
    assert Issue.objects.filter(in_next_release=True).exists()
    assert (AlertRule.objects.count(), AlertRule.objects.filter(is_enabled=False).count()) == (3, 1)
    assert not Occasion.objects.exists()
    assert set(Firing.objects.values_list("deliveries__state", flat=True)) == {"sent", "failed"}
    assert Channel.objects.filter(failed_in_row__gte=3).count() == 1
    assert (buffer.waiting_items(), buffer.dead_items()) == (0, 0)
    assert play(now=NOW) is None
    assert Project.objects.count() == 4  # the demo's three and the default one


@pytest.mark.django_db
def test_demo_has_something_for_each_page_of_insights():
    """A spike by either method, what moved, the two issues of the payment provider's outages, bad and good releases."""
    assert play(now=NOW) is not None
    ask = Ask(Reach(None), 72, int(NOW.timestamp() * 1000))

    assert spikes(ask, threshold=4, method="seasonal")
    assert spikes(ask, threshold=4, method="classic")
    assert len(movers(ask)) == 20
    together = [(pair.a.message, pair.b.message) for pair in correlations(ask)]
    assert any(all("ayment" in message for message in pair) for pair in together), together
    impacts = [each.impact_score for each in release_impacts(ask)]
    assert min(impacts) < GOOD < BAD < max(impacts)
    assert len(environments(ask).environments) == 2
