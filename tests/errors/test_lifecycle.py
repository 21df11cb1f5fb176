"""Changes with an end, taking them back, and two who act at once (contract 3.2; seed "Error Lifecycle")."""

import threading
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from bloop_site.lib.clock import HOUR_MS, now_ms
from errors.models import Issue, Status, Transition
from errors.queries.history import timeline
from errors.queries.work import latest_transition_id
from errors.services.merge import merge_issues
from errors.services.notes import NoteInvalid, NotYours, add_note, delete_note, edit_note
from errors.services.status import (
    Actor,
    ChangeInvalid,
    Conflict,
    IssueGone,
    change_status,
    end_mutes,
    undo_change,
)
from errors.statuses import Change
from projects.services.projects import NewProject
from tests.factories import event_json, make_issue, make_token, make_user, record
from tests.ingest.conftest import at_once, await_a_waiter

T = 1_760_000_000_000 - 1_760_000_000_000 % HOUR_MS
NOBODY = Actor(user_id=None)


def set_to(issue: Issue, change: Change, *, at: int = T, **more: Any) -> Transition | None:
    return change_status(issue_id=issue.pk, change=change, actor=NOBODY, now_ms=at, **more)


def standing(issue: Issue) -> dict[str, Any]:
    issue.refresh_from_db()
    names = ("status", "regressed_ms", "in_next_release", "muted_until_ms", "muted_until_count")
    return {name: getattr(issue, name) for name in names}


@pytest.fixture
def issue(shop: NewProject) -> Issue:
    return make_issue(shop.project, received_ms=T - 1000, fingerprint="fp", release="1.0")


# --- Changes with more to them ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "closed"},
        {"status": "resolved", "muted_until_ms": T + 1},
        {"status": "unresolved", "muted_until_count": 5},
        {"status": "muted", "in_next_release": True},
        {"status": "ignored", "muted_for_count": 5},
        {"status": "muted", "muted_until_count": 5, "muted_for_count": 5},
    ],
)
def test_a_change_that_makes_no_sense_cannot_be_made(wrong: dict[str, Any]):
    with pytest.raises(ValueError, match=r"unknown status|only a|not both"):
        Change(**wrong)


def test_a_change_survives_its_json():
    change = Change("muted", muted_until_ms=5, muted_until_count=7)

    assert Change.from_json(change.to_json()) == change


@pytest.mark.parametrize("passed", [{"muted_until_ms": T}, {"muted_until_ms": T - 1}, {"muted_until_count": 1}])
def test_a_mute_that_would_be_over_at_once_is_refused(issue: Issue, passed: dict[str, Any]):
    with pytest.raises(ChangeInvalid):
        set_to(issue, Change("muted", **passed))

    assert standing(issue)["status"] == "unresolved"


def test_muting_again_with_another_end_is_a_change(issue: Issue):
    set_to(issue, Change("muted"))

    assert set_to(issue, Change("muted")) is None
    assert set_to(issue, Change("muted", muted_until_ms=T + 5)) is not None
    assert standing(issue)["muted_until_ms"] == T + 5


def test_a_mute_until_a_time_ends_by_the_clock_too(issue: Issue):
    set_to(issue, Change("muted", muted_until_ms=T + 100))

    early = end_mutes(now_ms=T + 99)
    ended = end_mutes(now_ms=T + 100)

    assert (early, ended) == (0, 1)
    assert standing(issue)["status"] == "unresolved"
    last = issue.transitions.latest("pk")
    assert (last.cause, last.changed_ms, last.changed_by) == ("mute_ended", T + 100, None)


def test_mutes_that_are_due_end_and_no_others(shop: NewProject):
    due, later = make_issue(shop.project, fingerprint="a"), make_issue(shop.project, fingerprint="b")
    set_to(due, Change("muted", muted_until_ms=T + 1))
    set_to(later, Change("muted", muted_until_ms=now_ms() + HOUR_MS))

    end_mutes(now_ms=now_ms())

    assert (standing(due)["status"], standing(later)["status"]) == ("unresolved", "muted")


def test_mutes_of_many_issues_end_in_few_statements_and_their_merged_ones_with_them(shop: NewProject):
    record(shop.project, *(event_json(fingerprint=f"fp{number:03}") for number in range(150)), received_ms=T)
    Issue.objects.update(status="muted", muted_until_ms=T + 5)
    first, second, *_ = Issue.objects.order_by("pk")
    Issue.objects.filter(pk=second.pk).update(merged_into=first, muted_until_ms=None)

    with CaptureQueriesContext(connection) as captured:
        ended = end_mutes(now_ms=T + 5)

    assert (ended, Transition.objects.filter(cause="mute_ended").count()) == (149, 149)
    assert set(Issue.objects.values_list("status", "muted_until_ms")) == {("unresolved", None)}
    assert len(captured) < 100, "not a few for each"


# --- Taking back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "before",
    [
        Change("unresolved"),
        Change("ignored"),
        Change("resolved", in_next_release=True),
        Change("muted", muted_until_ms=T + 10**6, muted_until_count=100),
    ],
)
@pytest.mark.parametrize("after", ["resolved", "ignored", "muted", "unresolved"])
def test_undo_leaves_the_issue_as_it_stood(issue: Issue, admin: User, before: Change, after: str):
    set_to(issue, before)
    stood = standing(issue)
    made = set_to(issue, Change(after), at=T + 10)
    if made is None:
        return

    undone = undo_change(transition_id=made.pk, actor=Actor(admin.pk), now_ms=T + 20)

    assert standing(issue) == stood
    made.refresh_from_db()
    assert (made.undone, undone.cause, undone.changed_by, undone.new_status) == (True, "undo", admin, stood["status"])


def test_undo_of_a_resolve_brings_a_regression_back(issue: Issue, shop: NewProject):
    set_to(issue, Change("resolved"))
    record(shop.project, event_json(fingerprint="fp", release="1.1"), received_ms=T + 5)
    made = set_to(issue, Change("resolved"), at=T + 10)
    assert made is not None

    undo_change(transition_id=made.pk, actor=NOBODY, now_ms=T + 20)

    assert standing(issue)["regressed_ms"] == T + 5


def test_after_undo_a_resolved_issue_is_reopened_by_what_comes_after_its_resolve_and_not_before(
    issue: Issue, shop: NewProject
):
    set_to(issue, Change("resolved"), at=T + 10)
    made = set_to(issue, Change("unresolved"), at=T + 20)
    assert made is not None
    undo_change(transition_id=made.pk, actor=NOBODY, now_ms=T + 30)

    record(shop.project, event_json(fingerprint="fp"), received_ms=T + 9)
    early = standing(issue)["status"]
    record(shop.project, event_json(fingerprint="fp"), received_ms=T + 15)

    assert (early, standing(issue)["status"]) == ("resolved", "unresolved")


def test_what_is_not_the_latest_cannot_be_undone(issue: Issue, admin: User):
    first = set_to(issue, Change("resolved"))
    assert first is not None
    change_status(issue_id=issue.pk, change=Change("ignored"), actor=Actor(admin.pk), now_ms=T + 1)

    with pytest.raises(Conflict) as conflict:
        undo_change(transition_id=first.pk, actor=NOBODY, now_ms=T + 2)

    assert (conflict.value.latest.changed_by, conflict.value.latest.new_status) == (admin, "ignored")
    assert standing(issue)["status"] == "ignored"


def test_a_regression_in_between_stands_in_the_way_of_undo(issue: Issue, shop: NewProject):
    made = set_to(issue, Change("resolved"))
    assert made is not None
    record(shop.project, event_json(fingerprint="fp"), received_ms=T + 5)

    with pytest.raises(Conflict) as conflict:
        undo_change(transition_id=made.pk, actor=NOBODY, now_ms=T + 6)

    assert conflict.value.latest.cause == "regression"


def test_undoing_an_undo_makes_the_change_again_and_so_on(issue: Issue, shop: NewProject):
    set_to(issue, Change("ignored"), at=T)
    change: Transition | None = set_to(issue, Change("resolved", in_next_release=True), at=T + 10)
    stood, flags = [], []

    for step in range(4):
        assert change is not None
        change = undo_change(transition_id=change.pk, actor=NOBODY, now_ms=T + 20 + step)
        stood.append((standing(issue)["status"], issue.status_changed_ms, issue.in_next_release))
        flags.append(list(issue.transitions.order_by("pk").values_list("undone", flat=True)))

    assert stood == [("ignored", T, False), ("resolved", T + 10, True)] * 2
    assert flags[0] == [False, True, False]
    assert flags[1] == [False, False, True, False]
    record(shop.project, event_json(fingerprint="fp", release="2.0"), received_ms=T + 15)
    assert standing(issue)["regressed_ms"] == T + 15, "measured against the resolve, not against what came after"


def test_a_regression_taken_back_comes_with_the_next_event_again(issue: Issue, shop: NewProject):
    set_to(issue, Change("resolved"), at=T)
    record(shop.project, event_json(fingerprint="fp"), received_ms=T + 5)
    undo_change(transition_id=issue.transitions.latest("pk").pk, actor=NOBODY, now_ms=T + 6)
    between = (standing(issue)["status"], issue.status_changed_ms)

    record(shop.project, event_json(fingerprint="fp"), received_ms=T + 7)

    assert between == ("resolved", T)
    assert standing(issue)["status"] == "unresolved"


def test_what_is_undone_is_told_as_such(issue: Issue):
    made = set_to(issue, Change("ignored"))
    assert made is not None
    undo_change(transition_id=made.pk, actor=NOBODY, now_ms=T + 1)

    told = [(entry.kind, entry.undone, entry.can_undo) for entry in timeline(issue, [issue.pk])]

    assert told == [("undo", False, False), ("status", True, False), ("first_seen", False, False)]


# --- Two at once ------------------------------------------------------------------------------------------------


def test_the_second_of_two_sees_what_the_first_did(issue: Issue, admin: User):
    seen = latest_transition_id(issue)
    change_status(issue_id=issue.pk, change=Change("resolved"), actor=Actor(admin.pk), now_ms=T, seen=seen)

    with pytest.raises(Conflict) as conflict:
        set_to(issue, Change("ignored"), at=T + 1, seen=seen)

    assert conflict.value.latest.changed_by == admin
    assert standing(issue)["status"] == "resolved"
    assert set_to(issue, Change("ignored"), at=T + 2, seen=latest_transition_id(issue)) is not None


def test_of_two_at_the_same_moment_one_wins_and_the_other_is_told(shared_database: None, shop: NewProject):
    found = make_issue(shop.project, fingerprint="fp")

    def act(status: str) -> Any:
        return lambda: set_to(found, Change(status), seen=0)

    results = at_once([act("resolved"), act("ignored")])

    assert sorted(type(result).__name__ for result in results) == ["Conflict", "Transition"]
    assert Transition.objects.count() == 1


def test_a_status_change_and_a_flush_that_reopens_follow_each_other(shared_database: None, shop: NewProject):
    found = make_issue(shop.project, fingerprint="fp", received_ms=T)
    set_to(found, Change("resolved"), at=T + 1)
    wait = threading.Event()

    def flush() -> None:
        wait.set()
        record_in_transaction(shop, T + 2)

    def ignore() -> Transition | None:
        wait.wait(5)
        return set_to(found, Change("ignored"), at=T + 3)

    at_once([flush, ignore])

    chain = list(Transition.objects.order_by("pk").values_list("old_status", "new_status"))
    assert all(before[1] == after[0] for before, after in pairwise(chain)), chain
    assert standing(found)["status"] == chain[-1][1]


@pytest.mark.postgres
def test_a_change_that_meets_a_flush_in_a_circle_is_made_all_the_same(shared_database: None, shop: NewProject):
    """The flush has the merged issue's row and wants the shown one's; the change has that and wants the other."""
    shown, merged = (make_issue(shop.project, fingerprint=each, received_ms=T) for each in ("a", "b"))
    merge_issues(into_id=shown.pk, issue_ids=[merged.pk], actor=NOBODY, now_ms=T)
    has_merged = threading.Event()

    def flush() -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL deadlock_timeout = '20s'")  # so the other is ended
            Issue.objects.filter(pk=merged.pk).update(message="has it")
            has_merged.set()
            await_a_waiter()
            Issue.objects.filter(pk=shown.pk).update(message="and this one")

    def change() -> Any:
        has_merged.wait(20)
        return set_to(shown, Change("ignored"), at=T + 1)

    flushed, changed = at_once([flush, change])

    assert flushed is None
    assert changed.new_status == "ignored"
    assert {each.status for each in Issue.objects.all()} == {"ignored"}
    assert Transition.objects.count() == 1


def test_so_many_more_events_are_counted_from_the_moment_of_the_change(issue: Issue, shop: NewProject):
    record(shop.project, *[event_json(fingerprint="fp")] * 9, received_ms=T)  # after the caller looked

    made = set_to(issue, Change("muted", muted_for_count=2))

    assert made is not None
    assert (made.muted_until_count, standing(issue)["muted_until_count"]) == (12, 12)


def record_in_transaction(shop: NewProject, at: int) -> None:
    with transaction.atomic():
        record(shop.project, event_json(fingerprint="fp"), received_ms=at)


# --- Notes ------------------------------------------------------------------------------------------------------


def test_a_note_is_written_changed_by_its_author_and_removed_by_an_admin(issue: Issue, admin: User):
    author = make_user()

    note = add_note(issue_id=issue.pk, text="  Known since May\r\nsee #4 ", author=author, now_ms=T)
    assert (note.text, note.created_ms, note.edited_ms) == ("Known since May\nsee #4", T, None)
    note = edit_note(note_id=note.pk, text="Known since June", editor=author, now_ms=T + 5)
    assert (note.text, note.edited_ms) == ("Known since June", T + 5)

    with pytest.raises(NotYours):
        edit_note(note_id=note.pk, text="No", editor=make_user(), now_ms=T)
    with pytest.raises(NotYours):
        delete_note(note_id=note.pk, editor=make_user())
    delete_note(note_id=note.pk, editor=admin)
    assert not issue.notes.exists()


@pytest.mark.parametrize("text", ["", " \n ", "a\x00b", "x" * 10_001])
def test_what_is_no_note_is_refused(issue: Issue, admin: User, text: str):
    with pytest.raises(NoteInvalid):
        add_note(issue_id=issue.pk, text=text, author=admin, now_ms=T)


def test_no_note_on_an_issue_that_is_gone(admin: User):
    with pytest.raises(IssueGone):
        add_note(issue_id=1, text="x", author=admin, now_ms=T)


# --- The timeline -----------------------------------------------------------------------------------------------


def test_the_timeline_tells_everything_the_newest_first(issue: Issue, shop: NewProject, admin: User):
    add_note(issue_id=issue.pk, text="Hm", author=admin, now_ms=T + 1)
    set_to(issue, Change("muted", muted_until_ms=T + 50), at=T + 2)
    end_mutes(now_ms=T + 50)
    change_status(
        issue_id=issue.pk, change=Change("resolved", in_next_release=True), actor=Actor(admin.pk, "ci"), now_ms=T + 60
    )
    record(shop.project, event_json(fingerprint="fp", release="2.0"), received_ms=T + 70)
    made = set_to(issue, Change("ignored"), at=T + 80)
    assert made is not None

    entries = timeline(issue, [issue.pk])

    assert [entry.kind for entry in entries] == [
        "status",
        "regression",
        "release",
        "status",
        "mute_ended",
        "status",
        "note",
        "first_seen",
    ]
    assert entries[0].can_undo
    assert entries[0].id == made.pk
    assert (entries[1].release, entries[2].release) == ("2.0", "2.0")
    assert (entries[3].release, entries[3].in_next_release, entries[3].can_undo) == ("2.0", True, False)
    assert entries[3].actor == f"{admin.username} with token ci"
    assert entries[5].until_ms == T + 50
    assert (entries[6].text, entries[6].actor) == ("Hm", admin.username)


def test_the_next_release_is_the_first_that_appeared_after_the_change(issue: Issue, shop: NewProject):
    change = Change("resolved", in_next_release=True)
    for at, release in ((T + 10, "0.9"), (T + 20, ""), (T + 30, "2.0"), (T + 40, "3.0")):
        set_to(issue, change, at=at - 5)
        set_to(issue, Change("unresolved"), at=at - 4)
        record(shop.project, event_json(release=release, fingerprint="other"), received_ms=at)
    set_to(issue, change, at=T + 50)

    entries = timeline(issue, [issue.pk])

    told = [entry.release for entry in entries if entry.in_next_release]
    assert told == ["", "3.0", "2.0", "2.0", "0.9"], "that of an event without a release is none"


# --- The API (4.6) ----------------------------------------------------------------------------------------------


@pytest.fixture
def api(shop: NewProject) -> Client:
    return Client(headers={"Authorization": f"Bearer {make_token(shop.project).secret}"})


def test_the_api_mutes_until_a_time_or_so_many_more_events(api: Client, issue: Issue):
    until = now_ms() + HOUR_MS

    answer = api.post("/v1/errors/fp/mute", {"until": until, "until_count": 10}, content_type="application/json")

    assert answer.json() == {"fingerprint": "fp", "status": "muted", "updated": 1}
    assert (standing(issue)["muted_until_ms"], standing(issue)["muted_until_count"]) == (until, 11)
    row = api.get("/v1/errors/fp/history").json()[0]
    assert (row["muted_until"], row["muted_until_count"]) == (until, 11)


def test_the_api_resolves_in_the_next_release(api: Client, issue: Issue):
    api.post("/v1/errors/fp/resolve", {"in_next_release": True}, content_type="application/json")

    assert standing(issue) == {
        "status": Status.RESOLVED,
        "regressed_ms": None,
        "in_next_release": True,
        "muted_until_ms": None,
        "muted_until_count": None,
    }


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("body", [b"", b"  "])
def test_no_body_is_needed_whatever_its_type(api: Client, issue: Issue, kind: str, body: bytes):
    assert api.post("/v1/errors/fp/resolve", body, content_type=kind).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("mute", {"until": "tomorrow"}),
        ("mute", {"until": 5}),
        ("mute", {"until_count": 0}),
        ("mute", {"until_count": 2.5}),
        ("mute", {"in_next_release": True}),
        ("resolve", {"until_count": 5}),
        ("resolve", {"in_next_release": "yes"}),
    ],
)
def test_a_wrong_body_is_a_400_or_422_and_changes_nothing(api: Client, issue: Issue, path: str, body: Any):
    answer = api.post(f"/v1/errors/fp/{path}", body, content_type="application/json")

    assert answer.status_code in (400, 422)
    assert answer.json()["error"]
    assert standing(issue)["status"] == "unresolved"


@pytest.mark.parametrize("body", [b'{"until": 12', b'{"until": NaN}', b" {'until': 5}", b'{"a":' * 100_000])
def test_a_broken_object_mutes_nothing_for_ever(api: Client, issue: Issue, body: bytes):
    answer = api.post("/v1/errors/fp/mute", body, content_type="application/json")

    assert answer.status_code == 400
    assert standing(issue)["status"] == "unresolved"
