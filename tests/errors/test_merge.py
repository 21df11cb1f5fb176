"""Merging issues by hand and taking merges apart: counts exact, fingerprints right, whatever comes meanwhile."""

import time
from typing import Any

import pytest
from django.db import OperationalError, transaction
from django.db.models import Sum
from django.test import Client
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from accounts.models import User
from bloop_site.lib.clock import HOUR_MS
from bloop_site.lib.db import survives_deadlock
from errors.models import Aggregate, Event, Issue, Merge, Note, Status, Transition
from errors.queries.groups import group_ids
from errors.queries.history import timeline
from errors.queries.issues import find_issue
from errors.queries.work import merges_of
from errors.services.merge import MergeImpossible, merge_issues, undo_merge
from errors.services.notes import add_note
from errors.services.standing import holding_changes, plain, standing_after, standing_of
from errors.services.status import Actor, Conflict, IssueGone, change_status, end_mutes, undo_change
from errors.statuses import Change
from projects.services.projects import NewProject
from tests.factories import event_json, make_issue, make_token, record
from tests.ingest.conftest import at_once

T = 1_760_000_000_000 - 1_760_000_000_000 % HOUR_MS
NOBODY = Actor(user_id=None)


def issue(fingerprint: str) -> Issue:
    return Issue.objects.get(fingerprint=fingerprint)


def send_at(shop: NewProject, at: int, *fingerprints: str, **fields: Any) -> None:
    record(shop.project, *(event_json(fingerprint=each, **fields) for each in fingerprints), received_ms=at)


def merge(into: str, *others: str, at: int = T + 100) -> list[Merge]:
    return merge_issues(into_id=issue(into).pk, issue_ids=[issue(each).pk for each in others], actor=NOBODY, now_ms=at)


def set_to(name: str, change: Change | None, *, at: int) -> Transition | None:
    return None if change is None else change_status(issue_id=issue(name).pk, change=change, actor=NOBODY, now_ms=at)


def counts(fingerprint: str) -> tuple[int, int, int]:
    found = issue(fingerprint)
    return found.total_count, found.first_seen_ms, found.last_seen_ms


@pytest.fixture
def three(shop: NewProject) -> NewProject:
    send_at(shop, T, "a")
    send_at(shop, T + 5, "b", "b")
    send_at(shop, T - 5, "c")
    return shop


def test_the_shown_issue_has_the_counts_of_all_and_the_merged_keep_their_own(three: NewProject):
    merge("a", "b", "c")

    assert counts("a") == (4, T - 5, T + 5)
    assert (counts("b"), counts("c")) == ((2, T + 5, T + 5), (1, T - 5, T - 5))
    assert Event.objects.filter(issue=issue("b")).count() == 2, "nothing is moved"


def test_taken_apart_each_has_its_own_again(three: NewProject):
    merged = merge("a", "b", "c")
    send_at(three, T + 50, "b")

    for each in merged:
        undo_merge(merge_id=each.pk, actor=NOBODY, now_ms=T + 200)

    assert (counts("a"), counts("b"), counts("c")) == ((1, T, T), (3, T + 5, T + 50), (1, T - 5, T - 5))
    assert not Issue.objects.exclude(merged_into=None).exists()


def test_the_merged_take_the_status_of_the_one_that_shows_them_and_follow_it(three: NewProject):
    change_status(issue_id=issue("a").pk, change=Change("ignored"), actor=NOBODY, now_ms=T)

    merge("a", "b")
    followed = issue("b").status
    change_status(issue_id=issue("b").pk, change=Change("resolved"), actor=NOBODY, now_ms=T + 1)

    assert followed == "ignored"
    assert (issue("a").status, issue("b").status) == ("resolved", "resolved")


def test_taken_out_untouched_an_issue_has_its_old_status(three: NewProject):
    change_status(issue_id=issue("b").pk, change=Change("resolved"), actor=NOBODY, now_ms=T + 6)
    (made,) = merge("a", "b")

    undo_merge(merge_id=made.pk, actor=NOBODY, now_ms=T + 200)

    assert issue("b").status == "resolved"


@pytest.mark.parametrize("meanwhile", ["status", "event"])
def test_taken_out_after_something_happened_it_keeps_the_groups_status(three: NewProject, meanwhile: str):
    change_status(issue_id=issue("b").pk, change=Change("resolved"), actor=NOBODY, now_ms=T + 6)
    (made,) = merge("a", "b")
    if meanwhile == "status":
        change_status(issue_id=issue("a").pk, change=Change("ignored"), actor=NOBODY, now_ms=T + 150)
    else:
        send_at(three, T + 150, "b")

    undo_merge(merge_id=made.pk, actor=NOBODY, now_ms=T + 200)

    assert issue("b").status == issue("a").status


@pytest.mark.parametrize(
    "change",
    [
        Change("muted", muted_until_ms=T + 10**6, muted_until_count=50),
        Change("resolved"),
        Change("resolved", in_next_release=True),
        Change("ignored"),
        None,
    ],
)
def test_taken_out_untouched_it_stands_in_every_way_as_before(three: NewProject, change: Change | None):
    set_to("a", Change("muted", muted_until_ms=T + 10**7), at=T + 6)
    set_to("b", change, at=T + 7)
    stood = standing_of(issue("b"))
    (made,) = merge("a", "b")

    undo_merge(merge_id=made.pk, actor=NOBODY, now_ms=T + 200)

    assert standing_of(issue("b")) == stood
    assert standing_of(issue("a")).muted_until_ms == T + 10**7, "and so does the other"


def test_taken_out_a_regression_is_one_again(three: NewProject):
    set_to("b", Change("resolved"), at=T + 7)
    send_at(three, T + 8, "b", release="2.0")
    (made,) = merge("a", "b")
    during = issue("b").regressed_ms

    undo_merge(merge_id=made.pk, actor=NOBODY, now_ms=T + 200)

    assert (during, issue("b").regressed_ms) == (None, T + 8)


def test_a_resolved_issue_taken_out_is_reopened_by_what_comes_after_its_resolve_and_not_before(three: NewProject):
    set_to("b", Change("resolved"), at=T + 7)
    (made,) = merge("a", "b")
    undo_merge(merge_id=made.pk, actor=NOBODY, now_ms=T + 200)

    send_at(three, T + 6, "b")
    early = issue("b").status
    send_at(three, T + 8, "b")

    assert (early, issue("b").status) == ("resolved", "unresolved")


def test_the_groups_status_that_it_keeps_is_in_its_own_history_and_can_be_taken_back(three: NewProject, admin: User):
    (made,) = merge("a", "b")
    change = Change("muted", muted_until_ms=T + 10**6)
    change_status(issue_id=issue("a").pk, change=change, actor=Actor(admin.pk), now_ms=T + 150)

    undo_merge(merge_id=made.pk, actor=NOBODY, now_ms=T + 200)

    kept = issue("b").transitions.get()
    assert (kept.old_status, kept.new_status, kept.changed_by, kept.changed_ms) == (
        "unresolved",
        "muted",
        admin,
        T + 150,
    )
    assert issue("b").muted_until_ms == T + 10**6, "with its end"
    undo_change(transition_id=kept.pk, actor=NOBODY, now_ms=T + 210)
    assert (issue("b").status, issue("a").status) == ("unresolved", "muted")


def test_a_change_that_was_taken_back_meanwhile_is_none(three: NewProject):
    set_to("b", Change("ignored"), at=T + 7)
    (made,) = merge("a", "b")
    change = set_to("a", Change("resolved"), at=T + 150)
    assert change is not None
    undo_change(transition_id=change.pk, actor=NOBODY, now_ms=T + 151)

    undo_merge(merge_id=made.pk, actor=NOBODY, now_ms=T + 200)

    assert issue("b").status == "ignored"


def test_a_change_of_a_merged_issue_from_before_cannot_be_taken_back_on_the_one_that_shows_it(three: NewProject):
    before = set_to("b", Change("ignored"), at=T + 7)
    assert before is not None
    merge("a", "b")

    with pytest.raises(Conflict) as conflict:
        undo_change(transition_id=before.pk, actor=NOBODY, now_ms=T + 150)

    assert conflict.value.latest == before, "the newest there is"
    assert (issue("a").status, issue("b").status) == ("unresolved", "unresolved")


# --- Merged into what is merged -----------------------------------------------------------------------------------


def test_what_was_merged_into_a_merged_one_comes_along_and_goes_with_it_again(three: NewProject):
    merge("b", "c")

    (made,) = merge("a", "b", at=T + 110)
    together = (set(group_ids(issue("a"))), counts("a")[0], counts("b")[0], len(merges_of(issue("a"))))
    send_at(three, T + 120, "c")
    undo_merge(merge_id=made.pk, actor=NOBODY, now_ms=T + 200)

    assert together == ({each.pk for each in Issue.objects.all()}, 4, 2, 2)
    assert group_ids(issue("a")) == [issue("a").pk]
    assert group_ids(issue("b")) == [issue("b").pk, issue("c").pk]
    assert (counts("a")[0], counts("b")[0], counts("c")[0]) == (1, 4, 2)
    assert [each.merged for each in merges_of(issue("b"))] == [issue("c")]


def test_it_can_be_taken_out_of_the_middle(three: NewProject):
    (inner,) = merge("b", "c")
    (outer,) = merge("a", "b", at=T + 110)

    undo_merge(merge_id=inner.pk, actor=NOBODY, now_ms=T + 200)
    between = (group_ids(issue("a")), issue("c").merged_into_id)
    undo_merge(merge_id=outer.pk, actor=NOBODY, now_ms=T + 210)

    assert between == ([issue("a").pk, issue("b").pk], None)
    assert not Issue.objects.exclude(merged_into=None).exists()


def test_the_middle_brings_the_status_of_its_group_back_to_what_it_shows(three: NewProject):
    set_to("b", Change("resolved"), at=T + 7)
    merge("b", "c")
    (outer,) = merge("a", "b", at=T + 110)
    during = {each.status for each in Issue.objects.all()}

    undo_merge(merge_id=outer.pk, actor=NOBODY, now_ms=T + 200)

    assert during == {"unresolved"}
    assert [issue(name).status for name in "abc"] == ["unresolved", "resolved", "resolved"]


def test_taken_out_of_the_middle_it_keeps_what_the_outer_merge_gave_it(three: NewProject):
    set_to("b", Change("resolved"), at=T + 7)
    (inner,) = merge("b", "c")
    merge("a", "b", at=T + 110)
    set_to("a", Change("ignored"), at=T + 120)

    undo_merge(merge_id=inner.pk, actor=NOBODY, now_ms=T + 200)

    assert issue("c").status == "ignored"


@pytest.mark.parametrize(
    ("into", "others"), [("a", ["a"]), ("a", []), ("b", ["a"]), ("c", ["b"]), ("a", ["b"]), ("a", ["foreign"])]
)
def test_what_cannot_be_merged_is_refused_with_a_reason_and_nothing_is_written(
    three: NewProject, other: NewProject, into: str, others: list[str]
):
    merge("a", "b")
    make_issue(other.project, fingerprint="foreign")
    before = list(Issue.objects.order_by("pk").values())

    with pytest.raises(MergeImpossible) as refused:
        merge(into, *others)

    assert str(refused.value)
    assert list(Issue.objects.order_by("pk").values()) == before


def test_an_unknown_issue_cannot_be_merged(three: NewProject):
    with pytest.raises(IssueGone):
        merge_issues(into_id=issue("a").pk, issue_ids=[10**9], actor=NOBODY, now_ms=T)


def test_a_merge_is_taken_apart_once(three: NewProject):
    (made,) = merge("a", "b")
    undo_merge(merge_id=made.pk, actor=NOBODY, now_ms=T + 200)

    with pytest.raises(MergeImpossible):
        undo_merge(merge_id=made.pk, actor=NOBODY, now_ms=T + 201)


# --- Where it shows ---------------------------------------------------------------------------------------------


def test_either_fingerprint_leads_to_the_shown_issue_and_after_undo_each_to_its_own(three: NewProject):
    (made,) = merge("a", "b")
    project_id = three.project.pk
    during = find_issue(project_id=project_id, fingerprint="b")

    undo_merge(merge_id=made.pk, actor=NOBODY, now_ms=T + 200)

    assert during == issue("a")
    assert find_issue(project_id=project_id, fingerprint="b") == issue("b")


def test_the_list_shows_one_and_the_api_tells_of_both_fingerprints(
    three: NewProject, admin_client: Client, member: User
):
    merge("a", "b")
    api = Client(headers={"Authorization": f"Bearer {make_token(three.project).secret}"})

    listed = api.get("/v1/errors?group=issue").json()
    detail = api.get("/v1/errors/b").json()
    occurrences = api.get("/v1/errors/a/occurrences").json()

    assert [(row["fingerprint"], row["total_count"]) for row in listed] == [("a", 3), ("c", 1)]
    assert {row["fingerprint"] for row in detail["aggregates"]} == {"a", "b"}
    assert len(occurrences) == 3


def test_notes_and_the_timeline_are_told_together(three: NewProject, admin: User):
    add_note(issue_id=issue("b").pk, text="Of b", author=admin, now_ms=T + 90)
    (made,) = merge_issues(into_id=issue("a").pk, issue_ids=[issue("b").pk], actor=Actor(admin.pk), now_ms=T + 100)
    add_note(issue_id=issue("b").pk, text="Of both", author=admin, now_ms=T + 110)
    undo_merge(merge_id=made.pk, actor=Actor(admin.pk), now_ms=T + 120)

    told = [(entry.kind, entry.text, entry.actor) for entry in timeline(issue("a"), [issue("a").pk, issue("b").pk])]

    assert told == [
        ("unmerge", "b", admin.username),
        ("note", "Of both", admin.username),
        ("merge", "b", admin.username),
        ("note", "Of b", admin.username),
        ("first_seen", "", ""),
    ]
    assert list(Note.objects.order_by("pk").values_list("issue__fingerprint", flat=True)) == ["b", "a"]
    assert merges_of(issue("a")) == []


# --- Whatever comes meanwhile -----------------------------------------------------------------------------------


def test_a_merge_and_a_flush_at_the_same_moment_lose_no_event(shared_database: None, shop: NewProject):
    send_at(shop, T, "a", "b")

    def flush() -> None:
        for step in range(5):
            with transaction.atomic():
                send_at(shop, T + step, "b", "a")

    at_once([flush, lambda: merge("a", "b"), flush])

    assert counts("b")[0] == 11
    assert counts("a")[0] == 22


@survives_deadlock
def fold_once(shop: NewProject, at: int, fingerprints: str) -> None:
    with transaction.atomic():
        send_at(shop, at, *fingerprints)


def fold(shop: NewProject, at: int, fingerprints: str) -> None:
    """As the flush, which keeps a batch until it is folded."""
    while True:
        try:
            return fold_once(shop, at, fingerprints)
        except OperationalError:
            continue


def test_merges_undos_changes_and_flushes_at_the_same_moment_leave_everything_exact(
    shared_database: None, shop: NewProject
):
    """On PostgreSQL they do meet in circles: see `survives_deadlock`."""
    names = "abcd"
    send_at(shop, T, *names)

    def flush() -> None:
        for step in range(12):
            fold(shop, T + step, names[step % 3 :])
            time.sleep(0.02)  # a real one has the next batch to read

    def merge_and_undo() -> None:
        for step in range(6):
            for made in merge("a", "b", "c", at=T + step):
                undo_merge(merge_id=made.pk, actor=NOBODY, now_ms=T + step)

    def change() -> None:
        for step in range(12):
            set_to(names[step % 3], Change(("resolved", "ignored", "muted")[step % 3]), at=T + step)

    assert at_once([flush, merge_and_undo, change, flush]) == [None] * 4

    sent = {name: 1 + 2 * sum(name in names[step % 3 :] for step in range(12)) for name in names}
    assert {each.fingerprint: each.total_count for each in Issue.objects.all()} == sent
    for found in Issue.objects.all():
        assert Aggregate.objects.filter(issue=found).aggregate(n=Sum("total_count"))["n"] == sent[found.fingerprint]


class Merging(RuleBasedStateMachine):
    """Events, merges, undos and status changes in any order."""

    shop: NewProject
    names = st.sampled_from("abcd")

    def __init__(self) -> None:
        super().__init__()
        self.at = T
        self.sent = dict.fromkeys("abcd", 1)
        send_at(self.shop, T, *"abcd")

    @rule(name=names)
    def event(self, name: str) -> None:
        self.at += 1
        self.sent[name] += 1
        send_at(self.shop, self.at, name)

    @rule(into=names, other=names)
    def merge(self, into: str, other: str) -> None:
        self.at += 1
        try:
            merge(into, other, at=self.at)
        except MergeImpossible:
            return

    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        merges = list(Merge.objects.filter(undone_ms=None).order_by("pk"))
        if merges:
            self.at += 1
            undo_merge(merge_id=data.draw(st.sampled_from(merges)).pk, actor=NOBODY, now_ms=self.at)

    @rule(
        name=names,
        change=st.sampled_from(
            [
                Change("unresolved"),
                Change("ignored"),
                Change("resolved"),
                Change("resolved", in_next_release=True),
                Change("muted", muted_for_count=2),
                Change("muted", muted_until_ms=T + 8),
            ]
        ),
    )
    def change(self, name: str, change: Change) -> None:
        self.at += 1
        if change.muted_until_ms is None or change.muted_until_ms > self.at:
            set_to(name, change, at=self.at)

    @rule(name=names)
    def take_back(self, name: str) -> None:
        """The newest change of the shown issue: a change, a regression, or an undo."""
        self.at += 1
        found = issue(name)
        shown = found.merged_into_id or found.pk
        newest = Transition.objects.filter(issue=shown).order_by("-pk").first()
        if newest is not None:
            undo_change(transition_id=newest.pk, actor=NOBODY, now_ms=self.at)

    @rule()
    def clock(self) -> None:
        self.at += 3
        end_mutes(now_ms=self.at)

    @invariant()
    def counts_are_exact(self) -> None:
        for found in Issue.objects.all():
            group = Aggregate.objects.filter(issue__in=group_ids(found))
            assert found.total_count == group.aggregate(total=Sum("total_count"))["total"]
            own = Aggregate.objects.filter(issue=found).aggregate(total=Sum("total_count"))["total"]
            assert own == self.sent[found.fingerprint]

    @invariant()
    def merged_issues_follow(self) -> None:
        for found in Issue.objects.exclude(merged_into=None).select_related("merged_into"):
            assert found.merged_into is not None
            assert found.merged_into.merged_into_id is None, "one level only"
            assert found.status == found.merged_into.status
            held = Merge.objects.get(merged=found, undone_ms=None).issue
            assert (held.merged_into or held) == found.merged_into, "merged_into is the root of what people merged"
            assert (found.in_next_release, found.muted_until_ms, found.muted_until_count) == (False, None, None)

    @invariant()
    def the_history_leads_to_how_an_issue_stands(self) -> None:
        for found in Issue.objects.filter(merged_into=None):
            held = holding_changes([found.pk]).get(found.pk)
            told = standing_after(held) if held else plain(Status.UNRESOLVED, since_ms=None)
            assert standing_of(found) == told

    def teardown(self) -> None:
        Issue.objects.all().delete()


def test_counts_stay_exact_whatever_is_merged_and_taken_apart(shop: NewProject):
    machine = type("OfShop", (Merging,), {"shop": shop})

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
