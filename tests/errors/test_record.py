import random
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from accounts.audit import COMMAND_LINE
from bloop_site.lib.clock import DAY_MS, HOUR_MS, MINUTE_MS, hour_of, minute_of
from errors.contract import Limits, parse_event
from errors.models import Aggregate, Event, HourlyCount, Issue, MinuteCount, ProjectHourlyCount, Status, Transition
from errors.queries.events import samples_of_all
from errors.queries.trends import events_24h
from errors.services.record import Recorded, record_events
from errors.services.status import Actor, change_status
from errors.services.tallies import Received
from errors.statuses import Change
from projects.access import Reach
from projects.models import Project
from projects.services.projects import NewProject
from projects.services.removal import request_removal
from tests.factories import event_json, record, regroup, send

T = 1_760_000_000_000 - 1_760_000_000_000 % HOUR_MS  # the start of an hour


def received(project: Project, at: int, **fields: Any) -> Received:
    event = parse_event(
        event_json(**{"timestamp": at, **fields}), limits=Limits(), grouping=project.grouping, now_ms=at
    )
    return Received(project.pk, at, event)


def status(issue: Issue, to: str, *, at: int) -> None:
    change_status(issue_id=issue.pk, change=Change(to), actor=Actor(user_id=None), now_ms=at)


# --- What one event changes (3.1) -------------------------------------------------------------------------------


def test_one_event_makes_one_row_of_everything(shop: NewProject) -> None:
    done = record_events([received(shop.project, T + 61_000, screen="Cart", timestamp=T - 5000)])

    assert done == Recorded(stored=1, repeated=0)
    issue, aggregate, event = Issue.objects.get(), Aggregate.objects.get(), Event.objects.get()
    for row in (issue, aggregate):
        assert (row.total_count, row.first_seen_ms, row.last_seen_ms) == (1, T + 61_000, T + 61_000)
        assert (row.error_type, row.source, row.route, row.screen) == ("TypeError", "api", "/users", "Cart")
    assert issue.status == Status.UNRESOLVED
    assert (aggregate.release, aggregate.environment) == ("1.4.0", "production")
    assert (event.received_ms, event.timestamp_ms, event.issue_id) == (T + 61_000, T - 5000, issue.pk)
    hour = HourlyCount.objects.get()
    assert (hour.hour_ms, hour.environment, hour.source, hour.count) == (T, "production", "api", 1)
    of_project = ProjectHourlyCount.objects.get()
    assert (of_project.hour_ms, of_project.count) == (T, 1)
    minute = MinuteCount.objects.get()
    assert (minute.minute_ms, minute.count) == (T + 60_000, 1)
    assert not Transition.objects.exists()


@pytest.mark.parametrize("batches", [1, 5])
def test_ten_equal_events_are_one_aggregate_with_count_ten(batches: int, shop: NewProject) -> None:
    for _ in range(batches):
        record(shop.project, *[event_json()] * (10 // batches), received_ms=T)

    assert Aggregate.objects.get().total_count == 10
    assert Issue.objects.get().total_count == 10
    assert Event.objects.count() == 10


def test_an_aggregate_is_one_release_in_one_environment_of_one_issue(shop: NewProject, other: NewProject) -> None:
    for release in ("1", "2"):
        for environment in ("production", "staging"):
            record(shop.project, event_json(release=release, environment=environment), received_ms=T)
    record(other.project, event_json(release="1"), received_ms=T)

    assert Issue.objects.filter(project=shop.project).get().total_count == 4
    places = Aggregate.objects.filter(project=shop.project).values_list("release", "environment", "total_count")
    assert sorted(places) == [(r, e, 1) for r in ("1", "2") for e in ("production", "staging")]
    assert Issue.objects.filter(project=other.project).get().total_count == 1


def test_first_and_last_seen_are_receive_times_whatever_the_client_says(shop: NewProject) -> None:
    record(shop.project, event_json(timestamp=5), received_ms=T + 1000)
    record(shop.project, event_json(timestamp=T + 3 * HOUR_MS), received_ms=T + 2000)

    issue = Issue.objects.get()
    assert (issue.first_seen_ms, issue.last_seen_ms) == (T + 1000, T + 2000)
    assert list(HourlyCount.objects.values_list("hour_ms", "count")) == [(T, 2)]


def test_a_batch_that_is_folded_late_moves_first_seen_back_and_never_last_seen(shop: NewProject) -> None:
    record(shop.project, event_json(), received_ms=T + 5000)
    record(shop.project, event_json(), received_ms=T + 1000)

    for row in (Issue.objects.get(), Aggregate.objects.get()):
        assert (row.first_seen_ms, row.last_seen_ms, row.total_count) == (T + 1000, T + 5000, 2)


@pytest.mark.parametrize("batches", ["one", "two"])
def test_descriptive_columns_keep_the_first_events_values(batches: str, shop: NewProject) -> None:
    first = event_json(fingerprint="f", error_type="A", message="1", source="ios", route_or_procedure="/1", screen="S1")
    then = event_json(fingerprint="f", error_type="B", message="2", source="api", route_or_procedure="/2", screen="S2")
    for batch in [(first, then)] if batches == "one" else [(first,), (then,)]:
        record(shop.project, *batch, received_ms=T)

    for row in (Issue.objects.get(), Aggregate.objects.get()):
        described = (row.error_type, row.message, row.source, row.route, row.screen)
        assert described == ("A", "1", "ios", "/1", "S1")
        assert row.total_count == 2
    assert list(Event.objects.order_by("pk").values_list("message", flat=True)) == ["1", "2"]


def test_an_aggregate_of_a_later_release_describes_its_own_first_event(shop: NewProject) -> None:
    record(shop.project, event_json(fingerprint="f", message="1", release="1"), received_ms=T)
    record(shop.project, event_json(fingerprint="f", message="2", release="2"), received_ms=T)

    assert dict(Aggregate.objects.values_list("release", "message")) == {"1": "1", "2": "2"}


def test_samples_are_the_newest_five(shop: NewProject) -> None:
    for number in range(8):
        record(shop.project, event_json(request_id=str(number)), received_ms=T + number)

    assert [sample.request_id for sample in samples_of_all([Issue.objects.get()])] == ["7", "6", "5", "4", "3"]
    assert Event.objects.count() == 8


def test_events_of_several_projects_fold_in_one_batch(shop: NewProject, other: NewProject) -> None:
    done = record_events([received(each.project, T, fingerprint="f") for each in (shop, other, shop)])

    assert done.stored == 3
    counts = dict(Issue.objects.values_list("project_id", "total_count"))
    assert counts == {shop.project.pk: 2, other.project.pk: 1}


def test_events_of_projects_that_were_deleted_are_dropped_and_the_others_stored(
    shop: NewProject, other: NewProject
) -> None:
    request_removal(project=other.project, actor=COMMAND_LINE, now=timezone.now())
    gone = Received("gone", T, received(shop.project, T).event)

    done = record_events([received(shop.project, T), gone, received(other.project, T), gone])

    assert done == Recorded(stored=1, repeated=0, dropped=3)
    assert [issue.project_id for issue in Issue.objects.all()] == [shop.project.pk]


def test_a_batch_of_deleted_projects_alone_writes_nothing(shop: NewProject) -> None:
    gone = Received("gone", T, received(shop.project, T).event)

    assert record_events([gone]) == Recorded(stored=0, repeated=0, dropped=1)
    assert not Issue.objects.exists()
    assert not Event.objects.exists()


def test_a_repeat_changes_no_count_and_reopens_nothing(shop: NewProject) -> None:
    record_events([received(shop.project, T, event_id="e")])
    issue = Issue.objects.get()
    status(issue, "resolved", at=T + 1000)

    done = record_events([received(shop.project, T + 2000, event_id="e")])

    assert done == Recorded(stored=0, repeated=1)
    issue.refresh_from_db()
    assert (issue.status, issue.total_count, issue.last_seen_ms) == ("resolved", 1, T)
    assert HourlyCount.objects.get().count == 1
    assert MinuteCount.objects.get().count == 1


def test_the_table_itself_holds_an_event_id_once_a_project(shop: NewProject) -> None:
    record_events([received(shop.project, T, event_id="e")])
    event = Event.objects.get()
    event.pk = None

    with pytest.raises(IntegrityError), transaction.atomic():
        event.save()


# --- Counts agree with each other, whatever comes -------------------------------------------------------------------


def test_every_count_agrees_with_the_events(shop: NewProject, other: NewProject) -> None:
    rng = random.Random(1)
    batch = [
        received(
            rng.choice((shop, other)).project,
            T + rng.randrange(3 * HOUR_MS),
            fingerprint=rng.choice("abc"),
            release=rng.choice("12"),
            environment=rng.choice(("production", "staging")),
            source=rng.choice(("ios", "api")),
        )
        for _ in range(300)
    ]
    for start in range(0, 300, 60):
        record_events(batch[start : start + 60])

    assert sum(Issue.objects.values_list("total_count", flat=True)) == 300
    for issue in Issue.objects.all():
        mine = [
            each for each in batch if (each.project_id, each.event.fingerprint) == (issue.project_id, issue.fingerprint)
        ]
        times = [each.received_ms for each in mine]
        assert (issue.total_count, issue.first_seen_ms, issue.last_seen_ms) == (len(mine), min(times), max(times))
        assert sum(issue.aggregates.values_list("total_count", flat=True)) == len(mine)
        assert sum(issue.hours.values_list("count", flat=True)) == len(mine)
        assert issue.events.count() == len(mine)
    hours = {
        (row.project_id, row.hour_ms, row.environment, row.source): row.count
        for row in ProjectHourlyCount.objects.all()
    }
    expected: dict[Any, int] = {}
    for each in batch:
        key = (each.project_id, hour_of(each.received_ms), each.event.environment, each.event.source)
        expected[key] = expected.get(key, 0) + 1
    assert hours == expected


def test_the_hour_turns_with_the_receive_time(shop: NewProject) -> None:
    record(shop.project, event_json(), received_ms=T + HOUR_MS - 1)
    record(shop.project, event_json(), received_ms=T + HOUR_MS)

    assert list(HourlyCount.objects.order_by("hour_ms").values_list("hour_ms", "count")) == [(T, 1), (T + HOUR_MS, 1)]


# Instants of about four days, crowded around the edges of minutes, hours and days.
edges = st.builds(
    lambda day, hour, minute, ms: T + day * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS + ms,
    st.integers(0, 3),
    st.sampled_from([0, 1, 12, 22, 23]),
    st.sampled_from([0, 1, 30, 58, 59]),
    st.sampled_from([-1, 0, 1, 30_000, 59_999]),
)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(times=st.lists(edges, min_size=1, max_size=30), batch_size=st.integers(1, 10), later=edges)
@example(times=[T, T + DAY_MS], batch_size=2, later=T + DAY_MS)
@example(times=[T + DAY_MS - 1, T + DAY_MS], batch_size=1, later=T + DAY_MS + HOUR_MS)
def test_events_24h_is_exact_to_the_minute(times: list[int], batch_size: int, later: int, shop: NewProject) -> None:
    Issue.objects.all().delete()
    ProjectHourlyCount.objects.all().delete()
    MinuteCount.objects.all().delete()
    ordered = sorted(times)  # requests are received in order; batches of them are folded in order
    for start in range(0, len(ordered), batch_size):
        record_events([received(shop.project, at) for at in ordered[start : start + batch_size]])
    now = max(later, ordered[-1])

    counted = events_24h(Reach((shop.project.pk,)), now_ms=now)

    since = minute_of(now) - DAY_MS + MINUTE_MS
    assert counted == sum(since <= at for at in times)
    assert events_24h(Reach(None), now_ms=now) == counted
    assert events_24h(Reach(()), now_ms=now) == 0


def test_an_event_that_is_folded_a_day_late_does_not_spoil_todays_minutes(shop: NewProject) -> None:
    record(shop.project, event_json(), received_ms=T + DAY_MS)
    record(shop.project, event_json(), received_ms=T)

    assert list(MinuteCount.objects.values_list("minute_ms", "count")) == [(T + DAY_MS, 1)]
    assert ProjectHourlyCount.objects.count() == 2


# --- The status machine (3.2, 3.3) ----------------------------------------------------------------------------------


def test_a_new_event_reopens_a_resolved_issue_and_leaves_a_transition(shop: NewProject) -> None:
    record(shop.project, event_json(release="1.0"), received_ms=T)
    issue = Issue.objects.get()
    status(issue, "resolved", at=T + 1000)

    done = record_events([received(shop.project, T + 2000, release="1.0")])

    issue.refresh_from_db()
    assert done.reopened == (issue.pk,)
    assert (issue.status, issue.status_changed_ms, issue.regressed_ms) == ("unresolved", T + 2000, T + 2000)
    last = Transition.objects.latest("id")
    assert (last.old_status, last.new_status, last.cause) == ("resolved", "unresolved", "regression")
    assert (last.release, last.changed_ms, last.changed_by_id, last.token_name) == ("1.0", T + 2000, None, None)
    assert Transition.objects.count() == 2


@pytest.mark.parametrize("fields", [{"release": "2.0"}, {"environment": "staging"}])
def test_an_event_in_a_new_release_or_environment_is_a_regression_too(fields: dict[str, str], shop: NewProject) -> None:
    record(shop.project, event_json(), received_ms=T)
    issue = Issue.objects.get()
    status(issue, "resolved", at=T + 1000)

    record(shop.project, event_json(**fields), received_ms=T + 2000)

    issue.refresh_from_db()
    assert issue.status == "unresolved"
    assert Transition.objects.latest("id").release == fields.get("release", "1.4.0")


@pytest.mark.parametrize("kept", ["ignored", "muted"])
@pytest.mark.parametrize("fields", [{}, {"release": "2.0"}, {"environment": "staging"}])
def test_ignored_and_muted_issues_stay_so_everywhere(kept: str, fields: dict[str, str], shop: NewProject) -> None:
    record(shop.project, event_json(), received_ms=T)
    issue = Issue.objects.get()
    status(issue, kept, at=T + 1000)

    done = record_events([received(shop.project, T + 2000, **fields)])

    issue.refresh_from_db()
    assert (issue.status, issue.total_count, issue.regressed_ms) == (kept, 2, None)
    assert done.reopened == ()
    assert Transition.objects.count() == 1


def test_an_unresolved_issue_is_not_reopened_by_more_events(shop: NewProject) -> None:
    for number in range(3):
        record(shop.project, event_json(), received_ms=T + number)

    assert not Transition.objects.exists()
    assert Issue.objects.get().regressed_ms is None


def test_an_event_received_before_the_resolve_and_folded_after_it_reopens_nothing(shop: NewProject) -> None:
    record(shop.project, event_json(), received_ms=T)
    issue = Issue.objects.get()
    status(issue, "resolved", at=T + 5000)

    done = record_events([received(shop.project, T + 4999)])

    issue.refresh_from_db()
    assert (issue.status, issue.total_count, issue.last_seen_ms) == ("resolved", 2, T + 4999)
    assert done.reopened == ()
    assert Transition.objects.count() == 1


def test_a_batch_from_before_and_after_the_resolve_names_the_release_that_came_after(shop: NewProject) -> None:
    record(shop.project, event_json(release="1"), received_ms=T)
    issue = Issue.objects.get()
    status(issue, "resolved", at=T + 5000)

    record_events([received(shop.project, T + 4000, release="1"), received(shop.project, T + 6000, release="2")])

    issue.refresh_from_db()
    assert (issue.status, issue.total_count) == ("unresolved", 3)
    regression = Transition.objects.latest("id")
    assert (regression.release, regression.changed_ms) == ("2", T + 6000)


def test_a_batch_reopens_an_issue_once_and_only_its_own_projects(shop: NewProject, other: NewProject) -> None:
    for each in (shop, other):
        record(each.project, event_json(), received_ms=T)
        status(Issue.objects.get(project=each.project), "resolved", at=T + 1)

    record(shop.project, *[event_json()] * 10, received_ms=T + 1000)

    assert Issue.objects.get(project=shop.project).status == "unresolved"
    assert Issue.objects.get(project=other.project).status == "resolved"
    assert Transition.objects.filter(cause="regression").count() == 1


def test_resolving_a_regression_and_seeing_it_again_is_written_each_time(shop: NewProject) -> None:
    record(shop.project, event_json(), received_ms=T)
    issue = Issue.objects.get()
    for turn in range(1, 3):
        status(issue, "resolved", at=T + turn * 10_000)
        record(shop.project, event_json(), received_ms=T + turn * 10_000 + 1)

    assert (
        list(Transition.objects.order_by("id").values_list("new_status", "cause"))
        == [
            ("resolved", "call"),
            ("unresolved", "regression"),
        ]
        * 2
    )


# --- Grouping (2.5) -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("grouping", "issues"), [("v1", 2), ("v2", 1)])
def test_each_project_groups_by_its_own_version(grouping: str, issues: int, shop: NewProject, client: Any) -> None:
    regroup(shop.project, grouping)

    for message in ("Timeout after 5000ms", "Timeout after 3000ms"):
        stack = f"TimeoutError: {message}\n    at fetchCart (src/cart.js:12:3)"
        send(client, event_json(message=message, stack=stack), key=shop.api_key)

    assert Issue.objects.filter(project=shop.project).count() == issues
    assert Event.objects.count() == 2
