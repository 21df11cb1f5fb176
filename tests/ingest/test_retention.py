"""What retention removes of ingest: old counts of refusals, and dead letters, which are kept for 90 days at least."""

from datetime import UTC, datetime

import pytest

from accounts.audit import COMMAND_LINE
from bloop_site.lib.clock import DAY_MS, HOUR_MS, to_ms
from ingest.models import DeadPayload, RefusedCount
from projects.models import PurgeRun
from projects.services.policies import update_policies
from projects.services.retention import continue_purge, start_purge

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
NOW_MS = to_ms(NOW)


def purge() -> PurgeRun:
    run = start_purge(actor=None, now=NOW).run
    assert continue_purge(run_id=run.pk, now=NOW, seconds=30)
    run.refresh_from_db()
    return run


def refuse(hour_ms: int) -> None:
    RefusedCount.objects.create(reason="signature", hour_ms=hour_ms, count=1, last_ms=hour_ms)


def bury(at_ms: int) -> None:
    DeadPayload.objects.create(kind="errors", body=b"x", items=1, received_ms=1, buried_ms=at_ms, reason="why")


@pytest.mark.django_db
def test_refusals_are_counted_for_as_long_as_events_are():
    refuse(NOW_MS - 90 * DAY_MS - HOUR_MS)
    refuse(NOW_MS - 90 * DAY_MS)

    run = purge()

    assert RefusedCount.objects.get().hour_ms == NOW_MS - 90 * DAY_MS
    assert run.removed == {"refusals": 1}


@pytest.mark.django_db
@pytest.mark.parametrize(("days", "kept_days"), [(None, 90), (1, 90), (365, 365)])
def test_a_dead_letter_is_kept_as_long_as_counts_and_at_least_90_days(days: int | None, kept_days: int):
    update_policies(actor=COMMAND_LINE, now=NOW, hourly_counts_days=days)
    bury(NOW_MS - kept_days * DAY_MS - 1)
    bury(NOW_MS - kept_days * DAY_MS)

    run = purge()

    assert DeadPayload.objects.get().buried_ms == NOW_MS - kept_days * DAY_MS
    assert run.removed == {"dead_letters": 1}
