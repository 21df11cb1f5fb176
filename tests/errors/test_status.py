"""The status machine (contract 3.2, 3.3): any status to any other, what events do to it, and what the history keeps."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from errors.models import Issue, Status, Transition
from errors.services.status import Actor, IssueGone, change_status
from errors.statuses import Change
from projects.services.projects import NewProject
from tests.factories import event_json, make_issue, make_user, record

NOBODY = Actor(user_id=None)


def set_status(issue: Issue, status: str, *, at: int = 1) -> bool:
    return change_status(issue_id=issue.pk, change=Change(status), actor=NOBODY, now_ms=at) is not None


def history(issue: Issue) -> list[tuple[str, str, str]]:
    return list(issue.transitions.order_by("pk").values_list("old_status", "new_status", "cause"))


@pytest.mark.parametrize("old", Status.values)
@pytest.mark.parametrize("new", Status.values)
def test_any_status_leads_to_any_other_with_one_row_of_history(old: str, new: str, shop: NewProject, admin: User):
    issue = make_issue(shop.project)
    Issue.objects.update(status=old)

    changed = change_status(issue_id=issue.pk, change=Change(new), actor=Actor(admin.pk, "deploy"), now_ms=77)

    issue.refresh_from_db()
    assert issue.status == new
    assert (changed is not None) is (old != new)
    assert history(issue) == ([(old, new, "call")] if old != new else [])
    if changed:
        row = issue.transitions.get()
        assert (row.changed_by, row.token_name, row.changed_ms, issue.status_changed_ms) == (admin, "deploy", 77, 77)


def test_an_unknown_status_is_refused_and_writes_nothing(shop: NewProject):
    issue = make_issue(shop.project)

    with pytest.raises(ValueError, match="reopened"):
        set_status(issue, "reopened")

    assert not Transition.objects.exists()


def test_an_issue_that_is_gone_is_said_to_be(shop: NewProject):
    issue = make_issue(shop.project)
    Issue.objects.all().delete()

    with pytest.raises(IssueGone):
        set_status(issue, "resolved")


def test_the_change_and_its_history_are_written_together_or_not_at_all(shop: NewProject):
    issue = make_issue(shop.project)
    long_name = Actor(user_id=make_user().pk, token_name="x")

    with CaptureQueriesContext(connection) as captured, transaction.atomic():
        change_status(issue_id=issue.pk, change=Change("resolved"), actor=long_name, now_ms=1)
        transaction.set_rollback(True)

    issue.refresh_from_db()
    assert any("errors_transition" in query["sql"] for query in captured.captured_queries)
    assert (issue.status, history(issue)) == ("unresolved", [])


def test_history_survives_the_person_who_made_it(shop: NewProject, admin: User):
    issue = make_issue(shop.project)
    change_status(issue_id=issue.pk, change=Change("resolved"), actor=Actor(admin.pk), now_ms=1)

    admin.delete()

    row = issue.transitions.get()
    assert (row.new_status, row.changed_by) == ("resolved", None)


@pytest.mark.parametrize("release", ["1.4.0", "2.0"])
@pytest.mark.parametrize("environment", ["production", "staging"])
@pytest.mark.parametrize(
    ("before", "after"),
    [("resolved", "unresolved"), ("ignored", "ignored"), ("muted", "muted"), ("unresolved", "unresolved")],
)
def test_a_new_event_reopens_what_was_resolved_and_leaves_the_rest(
    before: str, after: str, release: str, environment: str, shop: NewProject
):
    issue = make_issue(shop.project, fingerprint="fp")
    set_status(issue, before)

    record(shop.project, event_json(fingerprint="fp", release=release, environment=environment))

    issue.refresh_from_db()
    assert (issue.status, issue.total_count) == (after, 2)
    assert (issue.regressed_ms is not None) is (before == "resolved")


def test_a_regression_is_in_the_history_with_its_release_and_by_nobody(shop: NewProject, admin: User):
    issue = make_issue(shop.project, fingerprint="fp")
    change_status(issue_id=issue.pk, change=Change("resolved"), actor=Actor(admin.pk), now_ms=1)

    record(shop.project, event_json(fingerprint="fp", release="2.0"))

    row = issue.transitions.order_by("-pk")[0]
    assert (row.old_status, row.new_status, row.cause) == ("resolved", "unresolved", "regression")
    assert (row.changed_by, row.token_name, row.release) == (None, None, "2.0")


def test_many_events_in_one_batch_reopen_once(shop: NewProject):
    issue = make_issue(shop.project, fingerprint="fp")
    set_status(issue, "resolved")

    record(shop.project, *(event_json(fingerprint="fp") for _ in range(5)))

    assert history(issue) == [("unresolved", "resolved", "call"), ("resolved", "unresolved", "regression")]


def test_an_event_received_before_the_resolution_but_folded_after_does_not_reopen(shop: NewProject):
    issue = make_issue(shop.project, fingerprint="fp", received_ms=1_000)
    set_status(issue, "resolved", at=5_000)

    record(shop.project, event_json(fingerprint="fp"), received_ms=4_999)

    issue.refresh_from_db()
    assert (issue.status, issue.total_count) == ("resolved", 2)


def test_a_regression_in_one_project_leaves_the_others_alone(shop: NewProject, other: NewProject):
    issues = [make_issue(new.project, fingerprint="fp") for new in (shop, other)]
    for issue in issues:
        set_status(issue, "resolved")

    record(shop.project, event_json(fingerprint="fp"))

    assert dict(Issue.objects.values_list("project__slug", "status")) == {"shop": "unresolved", "other": "resolved"}


def test_handling_a_regression_again_takes_its_mark_off(shop: NewProject):
    issue = make_issue(shop.project, fingerprint="fp")
    set_status(issue, "resolved")
    record(shop.project, event_json(fingerprint="fp"))

    set_status(issue, "ignored")

    issue.refresh_from_db()
    assert issue.regressed_ms is None


def test_the_database_itself_refuses_a_status_nobody_knows(shop: NewProject):
    make_issue(shop.project)

    with pytest.raises(IntegrityError), transaction.atomic():
        Issue.objects.update(status="open")
