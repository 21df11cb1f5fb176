import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken

from accounts.audit import COMMAND_LINE, Action, record
from accounts.models import AuditEntry, Invite, Passkey, Role, Session, User
from accounts.secret import hashed
from accounts.services.invites import issue_invite
from alerts.models import AlertRule, Channel, Delivery
from bloop_site.lib.admin import COUNTED
from errors.models import Issue, SourceMap, Transition
from ingest.models import BufferedPayload, DeadPayload
from projects.models import ApiToken, IngestKey, Membership, Project, Removal
from projects.services.keys import rotate_key
from projects.services.projects import NewProject
from tests.alerts.made import WEBHOOK, make_channel, make_firing, make_rule
from tests.errors.maps_of import put_map
from tests.factories import make_admin, make_issue, make_project, make_token, make_user, verified_client

HOSTILE = "<script>alert('bloop')</script>\u202egnp.exe"
LISTS = sorted(f"{model._meta.app_label}_{model._meta.model_name}" for model in admin.site._registry)


def shop() -> Project:
    return Project.objects.filter(slug="shop").first() or make_project(slug="shop").project


def fresh_project() -> Project:
    return make_project().project


def fresh_key() -> IngestKey:
    return make_project().project.keys.get()


def fresh_membership() -> Membership:
    return Membership.objects.create(project=shop(), user=make_user())


def fresh_token() -> ApiToken:
    return make_token(shop()).token


def fresh_removal() -> Removal:
    return Removal.objects.create(
        project_id=str(uuid.uuid4()), name="Old", slug="old", started_at=timezone.now(), rows_total=10, rows_removed=4
    )


def fresh_passkey() -> Any:
    return Passkey.objects.create(
        user=make_user(), name="Phone", credential_id=uuid.uuid4().hex, public_key=b"key", created_at=timezone.now()
    )


def fresh_session() -> Session:
    now = timezone.now()
    return Session.objects.create(
        key_hash=hashed(uuid.uuid4().hex), user=make_user(), created_at=now, expires_at=now + timedelta(days=1)
    )


def fresh_invite() -> Invite:
    issued = issue_invite(role=Role.MEMBER, created_by=make_user(), now=timezone.now())
    return Invite.objects.get(token_hash=hashed(issued.token))


def fresh_entry() -> AuditEntry:
    record(actor=COMMAND_LINE, action=Action.PROJECT_CREATED, target="Shop", now=timezone.now(), detail={"a": 1})
    return AuditEntry.objects.latest("pk")


def fresh_issue() -> Issue:
    return make_issue(shop(), fingerprint=uuid.uuid4().hex)


def fresh_map() -> SourceMap:
    return put_map(shop(), filename=f"{uuid.uuid4().hex}.js.map")


def fresh_letter(*, reason: str = "ValueError: no", body: bytes = b'{"message": "hello"}') -> DeadPayload:
    return DeadPayload.objects.create(
        kind="errors", project_id=shop().pk, body=body, items=1, received_ms=1, buried_ms=2, reason=reason
    )


def fresh_channel() -> Channel:
    return make_channel(make_rule(shop()), WEBHOOK).channel


def fresh_delivery() -> Delivery:
    return make_firing(fresh_channel().rule, shop(), state="failed").deliveries.get()


FRESH: dict[str, Callable[[], Model]] = {
    "accounts_user": make_user,
    "accounts_passkey": fresh_passkey,
    "accounts_session": fresh_session,
    "accounts_invite": fresh_invite,
    "accounts_auditentry": fresh_entry,
    "projects_project": fresh_project,
    "projects_membership": fresh_membership,
    "projects_ingestkey": fresh_key,
    "projects_apitoken": fresh_token,
    "projects_removal": fresh_removal,
    "errors_issue": fresh_issue,
    "errors_sourcemap": fresh_map,
    "alerts_alertrule": lambda: make_rule(shop()),
    "alerts_channel": fresh_channel,
    "alerts_delivery": fresh_delivery,
    "ingest_deadpayload": fresh_letter,
}


def site_admin(row: Model) -> Any:
    return admin.site._registry[type(row)]


def list_url(name: str) -> str:
    return reverse(f"admin:{name}_changelist")


def page_url(row: Any) -> str:
    return str(site_admin(row).url_of(row))


def text_of(response: Any) -> str:
    return str(response.content.decode())


def act(client: Client, rows: list[Any], action: str, **more: str) -> Any:
    """Tick rows in their list and press a button."""
    handles = [site_admin(row).handle_of(row) for row in rows]
    data = {"_selected_action": handles, "action": action, "index": "0", **more}
    return client.post(list_url(f"{rows[0]._meta.app_label}_{rows[0]._meta.model_name}"), data, follow=True)


def confirmed(client: Client, rows: list[Any], action: str) -> Any:
    """The same, after the question."""
    assert 'name="confirmed"' in text_of(act(client, rows, action))
    return act(client, rows, action, confirmed=str(len(rows)))


@pytest.fixture
def staff(admin: User) -> Client:
    return verified_client(admin)


# --- The door ---------------------------------------------------------------------------------------------------


def doors() -> list[str]:
    paths = ["/admin/", "/admin/accounts/", "/admin/nowhere/"]
    for name in LISTS:
        paths += [list_url(name), reverse(f"admin:{name}_add"), reverse(f"admin:{name}_change", args=["1"])]
    return paths


def assert_sent(client: Client, *, to: str) -> None:
    """Every door leads to the page `to`, and from there on to where one wanted to go."""
    for path in (*doors(), "/admin/login/?next=/admin/errors/issue/"):
        response = client.get(path)
        target = parse_qs(path.partition("?")[2]).get("next", [path])
        location = urlsplit(response.headers["Location"])
        assert (response.status_code in (302, 303), location.path) == (True, to), path
        assert parse_qs(location.query)["next"] == target


def test_nobody_is_sent_to_sign_in_and_then_on(client: Client, db: None):
    assert_sent(client, to="/auth/login")


def test_an_admin_whose_session_is_not_verified_is_sent_to_verify_it(admin_client: Client):
    assert_sent(admin_client, to=reverse("accounts:verify"))


@pytest.mark.parametrize("verified", [False, True])
def test_a_member_is_refused_verified_or_not(verified: bool, member: User):  # noqa: FBT001
    client = verified_client(member) if verified else Client()
    client.force_login(member) if not verified else None

    for path in (*doors(), "/admin/login/"):
        response = client.get(path)
        assert response.status_code == 403, path
        assert "That was not allowed" in text_of(response)


def test_every_way_of_asking_is_refused_alike(member: User, admin_client: Client):
    row = fresh_letter()
    data = {"_selected_action": row.pk, "action": "discard", "index": "0", "confirmed": "1"}

    assert verified_client(member).post(list_url("ingest_deadpayload"), data).status_code == 403
    assert admin_client.post(list_url("ingest_deadpayload"), data).status_code == 302
    assert DeadPayload.objects.filter(pk=row.pk).exists()


def test_a_verified_admin_comes_in(staff: Client):
    assert staff.get("/admin/").status_code == 200
    assert staff.get("/admin/login/").headers["Location"] == "/admin/"
    assert staff.get("/admin/login/?next=/admin/errors/issue/").headers["Location"] == "/admin/errors/issue/"


def test_a_removed_passkey_closes_the_door_behind_it(staff: Client, admin: User):
    Passkey.objects.filter(user=admin).delete()

    assert urlsplit(staff.get("/admin/").headers["Location"]).path == reverse("accounts:verify")


def test_a_demoted_admin_is_out_at_once(staff: Client, admin: User):
    User.objects.filter(pk=admin.pk).update(role=Role.MEMBER)

    assert staff.get("/admin/").status_code == 403


def test_somebody_elses_passkey_verifies_nobody(admin: User, member: User):
    client = verified_client(member)
    client.force_login(admin)

    assert urlsplit(client.get("/admin/").headers["Location"]).path == reverse("accounts:verify")


def test_a_recovery_code_opens_it_too(admin: User, admin_client: Client):
    device = StaticDevice.objects.create(user=admin, name="codes")
    session = admin_client.session
    session["otp_device_id"] = device.persistent_id
    session.save()

    assert admin_client.get("/admin/").status_code == 200


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "evil", "\n//evil"]
)
def test_the_way_on_never_leads_elsewhere(target: str, staff: Client, client: Client, admin_client: Client):
    query = {"next": target}

    assert staff.get("/admin/login/", query).headers["Location"] == "/admin/"
    for stranger in (client, admin_client):
        location = urlsplit(stranger.get("/admin/login/", query).headers["Location"])
        assert location.netloc == ""
        assert parse_qs(location.query)["next"] == ["/admin/"]


def test_nowhere_is_a_password_asked_for(staff: Client, client: Client, admin_client: Client):
    for each in (staff, client, admin_client):
        for method in (each.get, each.post):
            response = method("/admin/login/", {"username": "ann", "password": "x"})
            assert response.status_code == 302
    for path in ("password_change/", "password_change/done/", "jsi18n/", "autocomplete/", "r/1/1/"):
        assert staff.get(f"/admin/{path}").status_code == 404


def test_signing_out_is_ours_and_by_post(staff: Client):
    assert staff.get("/admin/logout/").status_code == 405
    assert staff.post("/admin/logout/").headers["Location"] == "/auth/login?reason=signed_out"
    assert urlsplit(staff.get("/admin/").headers["Location"]).path == "/auth/login"


def test_a_form_without_its_token_is_refused(admin: User):
    client = verified_client(admin)
    client.handler.enforce_csrf_checks = True

    assert client.post(list_url("ingest_deadpayload"), {"action": "discard"}).status_code == 403


# --- What there is ----------------------------------------------------------------------------------------------


def test_only_what_was_written_for_this_site_is_registered():
    assert set(LISTS) == set(FRESH)


@pytest.mark.parametrize("name", LISTS)
def test_lists_pages_and_their_filters_answer(name: str, staff: Client):
    row: Any = FRESH[name]()
    url = list_url(name)

    page = staff.get(url)
    assert page.status_code == 200
    assert page_url(row) in text_of(page)
    filters = {unescape(each) for each in re.findall(r'class="nav__item" href="(\?[^"]*)"', text_of(page))}
    for query in [*filters, "?q=shop", "?q=%25%27%22", "?o=1", "?o=-2.1", "?p=1", "?e=1"]:
        assert staff.get(url + query).status_code == 200, query
    assert staff.get(page_url(row)).status_code == 200
    assert "Nothing matches" in text_of(staff.get(f"{url}?q=nothing-like-this")) or not site_admin(row).search_fields


@pytest.mark.parametrize("name", LISTS)
def test_what_must_not_be_made_changed_or_deleted_by_hand_is_not(name: str, staff: Client):
    row: Any = FRESH[name]()
    may_add = name in {"projects_project", "projects_membership"}
    may_change = name == "projects_project"

    assert staff.get(reverse(f"admin:{name}_add")).status_code == (200 if may_add else 403)
    assert staff.post(page_url(row), {}).status_code == (200 if may_change else 403)
    assert staff.get(page_url(row).replace("/change/", "/delete/")).status_code == (200 if may_change else 403)
    assert (f"New {site_admin(row).one}" in text_of(staff.get(list_url(name)))) is may_add
    assert type(row).objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("name", LISTS)
def test_a_list_takes_as_many_queries_for_30_rows_as_for_3(name: str, staff: Client):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert staff.get(list_url(name)).status_code == 200
        return len(captured)

    for _ in range(3):
        FRESH[name]()
    staff.get(list_url(name))
    fewer = queries()
    for _ in range(27):
        FRESH[name]()

    assert queries() == fewer
    assert fewer <= 13


@pytest.mark.parametrize("name", LISTS)
def test_no_list_counts_a_whole_table(name: str, staff: Client):
    FRESH[name]()

    with CaptureQueriesContext(connection) as captured:
        staff.get(list_url(name))

    counts = [query["sql"] for query in captured if query["sql"].startswith("SELECT COUNT")]
    assert counts
    assert all(f"LIMIT {COUNTED}" in sql for sql in counts)


def test_the_number_of_rows_is_told_up_to_the_limit(staff: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bloop_site.lib.admin.COUNTED", 2)
    for _ in range(3):
        fresh_letter()

    assert "2 or more dead letters" in text_of(staff.get(list_url("ingest_deadpayload")))


def test_long_lists_have_pages_that_keep_their_filters(staff: Client):
    for number in range(60):
        fresh_letter(reason=f"reason {number}")

    first = text_of(staff.get(list_url("ingest_deadpayload") + "?kind=errors"))
    following = unescape(re.findall(r'rel="next" href="([^"]+)"', first)[0])

    assert parse_qs(following[1:]) == {"kind": ["errors"], "p": ["2"]}
    assert text_of(staff.get(list_url("ingest_deadpayload") + following)).count('class="action-select"') == 10


@pytest.mark.parametrize("name", LISTS)
def test_pages_hold_no_inline_script_or_style(name: str, staff: Client):
    row: Any = FRESH[name]()

    for path in (list_url(name), page_url(row), "/admin/", reverse("admin:projects_project_add")):
        page = text_of(staff.get(path))
        assert not re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", page)
        assert "/static/admin/" not in page


@pytest.mark.parametrize(
    "name",
    ["errors_issue", "errors_sourcemap", "ingest_deadpayload", "accounts_auditentry", "projects_project"],
)
def test_hostile_texts_are_shown_harmlessly(name: str, staff: Client):
    rows: dict[str, Callable[[], Any]] = {
        "errors_issue": lambda: make_issue(shop(), error_type=HOSTILE, message=HOSTILE, route_or_procedure=HOSTILE),
        "errors_sourcemap": lambda: put_map(shop(), filename=HOSTILE, release=HOSTILE),
        "ingest_deadpayload": lambda: fresh_letter(reason=HOSTILE, body=HOSTILE.encode()),
        "accounts_auditentry": lambda: AuditEntry.objects.create(
            at=timezone.now(), actor_name=HOSTILE, action=HOSTILE[:40], target=HOSTILE, detail={HOSTILE: HOSTILE}
        ),
        "projects_project": lambda: make_project(name=HOSTILE).project,
    }
    row = rows[name]()

    pages = [staff.get(path) for path in (list_url(name), page_url(row), "/admin/", f"{list_url(name)}?q={HOSTILE}")]
    if site_admin(row).actions:
        pages.append(act(staff, [row], site_admin(row).actions[-1]))
    for page in pages:
        assert page.status_code == 200
        assert "<script>alert" not in text_of(page)
    for page in pages[: 1 if site_admin(row).editable else 2]:  # a field to edit holds the text as it is
        assert "&lt;script&gt;" in text_of(page)
        assert "\u202e" not in text_of(page)


# --- What is never shown, and cannot be found out -----------------------------------------------------------------


def secrets_of(row: Any) -> list[str]:
    match row:
        case IngestKey():
            return [row.key, row.key[:24]]
        case ApiToken():
            return [row.token_hash, row.token_hash[:17]]
        case Session():
            return [row.pk, row.pk[:17]]
        case Invite():
            return [row.pk, row.pk[:17], row.seed]
        case Passkey():
            return [row.credential_id]
    return []


@pytest.mark.parametrize(
    "name",
    ["projects_ingestkey", "projects_apitoken", "accounts_session", "accounts_invite", "accounts_passkey"],
)
def test_keys_and_hashes_stand_on_no_page(name: str, staff: Client):
    row: Any = FRESH[name]()
    question = act(staff, [row], site_admin(row).actions[-1])
    assert "confirmed" in text_of(question)

    for page in (staff.get(list_url(name)), staff.get(page_url(row)), question):
        for secret in secrets_of(row):
            assert secret not in text_of(page)
            assert secret not in page_url(row)


def test_recovery_codes_have_no_page(staff: Client, admin: User):
    device = StaticDevice.objects.create(user=admin, name="codes")
    StaticToken.objects.create(device=device, token="0123456789abcdef")

    assert staff.get("/admin/otp_static/staticdevice/").status_code == 404
    assert "0123456789abcdef" not in text_of(staff.get(f"/admin/accounts/user/{admin.pk}/change/"))


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("projects_ingestkey", "key__startswith=bloop_a"),
        ("projects_ingestkey", "key=bloop_a"),
        ("projects_apitoken", "token_hash__gt=8"),
        ("projects_apitoken", "project__keys__key__startswith=b"),
        ("accounts_session", "key_hash__startswith=a"),
        ("accounts_session", "data__contains=a"),
        ("accounts_invite", "seed__startswith=a"),
        ("accounts_user", "passkey__credential_id__startswith=a"),
        ("errors_issue", "project__tokens__token_hash__startswith=a"),
        ("errors_issue", "_popup=1"),
        ("errors_issue", "_to_field=id"),
    ],
)
def test_the_query_string_reaches_no_other_columns(name: str, query: str, staff: Client):
    FRESH[name]()

    assert staff.get(f"{list_url(name)}?{query}").status_code in (400, 404)


@pytest.mark.parametrize("bad", ["nonsense", "9" * 40, "-1", "%00", "_00", "a%2Fb", "' OR 1=1", "0" * 16, "é"])
def test_a_row_that_cannot_be_is_not_found(bad: str, staff: Client):
    for model, model_admin in admin.site._registry.items():
        path = list_url(f"{model._meta.app_label}_{model._meta.model_name}")
        assert_survives(staff, path, bad, model_admin.actions)


def assert_survives(staff: Client, path: str, bad: str, actions: Any) -> None:
    for response in (staff.get(f"{path}{bad}/change/"), staff.get(f"{path}?q={bad}"), staff.get(f"{path}?p={bad}")):
        assert response.status_code in (200, 302, 400, 404)
    if actions:
        for value in (bad, "\x00"):
            data = {"_selected_action": [value], "action": actions[0], "index": "0"}
            assert staff.post(path, data).status_code in (200, 302, 400)


# --- Acts -------------------------------------------------------------------------------------------------------


def test_nothing_ticked_does_nothing_and_says_so(staff: Client):
    fresh_letter()

    page = staff.post(list_url("ingest_deadpayload"), {"action": "discard", "index": "0"}, follow=True)

    assert "Tick the rows it should be done to." in text_of(page)
    assert DeadPayload.objects.count() == 1


def test_an_unknown_act_does_nothing(staff: Client):
    row = fresh_letter()

    for action in ("delete_selected", "nonsense", ""):
        act(staff, [row], action, confirmed="1")

    assert DeadPayload.objects.count() == 1


@pytest.mark.parametrize(
    ("action", "status"),
    [("resolve", "resolved"), ("ignore", "ignored"), ("mute", "muted"), ("unresolve", "unresolved")],
)
def test_issues_change_their_status_once_by_who_is_signed_in(action: str, status: str, staff: Client, admin: User):
    rows = [fresh_issue(), fresh_issue()]
    if status == "unresolved":
        act(staff, rows, "resolve")

    assert f"2 issues {status}" in text_of(act(staff, rows, action))
    assert "There was nothing to do." in text_of(act(staff, rows, action))

    moves = Transition.objects.filter(new_status=status)
    assert [(move.changed_by, move.new_status) for move in moves] == [(admin, status)] * 2


def test_an_issue_can_be_acted_upon_from_its_page_and_seen_in_the_dashboard(staff: Client):
    row = fresh_issue()
    page = text_of(staff.get(page_url(row)))

    assert re.findall(r'name="action" value="(\w+)"', page) == ["resolve", "ignore", "mute"]
    assert f'name="_selected_action" value="{row.pk}"' in page
    assert reverse("errors:detail", args=["shop", row.fingerprint]) in page


def test_issues_of_a_project_that_goes_are_gone(staff: Client):
    row = fresh_issue()
    Project.objects.filter(pk=row.project_id).update(removing_at=timezone.now())

    assert page_url(row) not in text_of(staff.get(list_url("errors_issue")))
    assert staff.get(page_url(row)).status_code == 302


def test_all_that_match_are_asked_about_and_only_they_are_done(staff: Client):
    for _ in range(60):
        fresh_letter(reason="this one")
    kept = fresh_letter(reason="another")
    url = f"{list_url('ingest_deadpayload')}?q=this"
    data = {"action": "discard", "index": "0", "select_across": "1"}

    question = text_of(staff.post(url, data))
    assert "Discard 60 dead letters?" in question
    fresh_letter(reason="this one came meanwhile")
    assert "Discard 61 dead letters?" in text_of(staff.post(url, {**data, "confirmed": "60"}))
    staff.post(url, {**data, "confirmed": "61"})

    assert DeadPayload.objects.get() == kept


def test_what_is_done_without_a_question_is_asked_about_when_done_to_all(staff: Client):
    for _ in range(3):
        fresh_issue()
    data = {"action": "mute", "index": "0", "select_across": "1"}

    assert "Mute 3 issues?" in text_of(staff.post(list_url("errors_issue"), data))
    assert not Issue.objects.filter(status="muted").exists()
    staff.post(list_url("errors_issue"), {**data, "confirmed": "3"})

    assert Issue.objects.filter(status="muted").count() == 3


def test_dead_letters_are_retried_once(staff: Client):
    rows = [fresh_letter(), fresh_letter()]

    assert "2 dead letters on the way again" in text_of(confirmed(staff, rows, "retry"))
    assert "There was nothing to do." in text_of(act(staff, rows, "retry", confirmed="2"))

    assert BufferedPayload.objects.count() == 2
    entry = AuditEntry.objects.get(action=Action.DEAD_LETTERS_RETRIED)
    assert (entry.actor_name, entry.address) == ("ann", "127.0.0.1")


def test_dead_letters_are_discarded(staff: Client):
    kept = fresh_letter()

    assert "1 dead letter discarded" in text_of(confirmed(staff, [fresh_letter()], "discard"))

    assert DeadPayload.objects.get() == kept
    assert AuditEntry.objects.filter(action=Action.DEAD_LETTERS_DISCARDED).count() == 1


def test_a_dead_letter_shows_what_it_holds(staff: Client):
    row = fresh_letter(body=b'{"message": "hello \\u202e there"}')

    assert "&quot;message&quot;: &quot;hello \\u202e there&quot;" in text_of(staff.get(page_url(row)))


def test_the_first_page_tells_of_dead_letters_and_of_what_was_done(staff: Client):
    fresh_letter()
    fresh_entry()

    page = text_of(staff.get("/admin/"))

    assert "1 item could not be stored" in page
    assert "Made a project" in page


def test_tokens_are_revoked_once(staff: Client):
    rows = [fresh_token(), fresh_token()]

    assert "2 API tokens revoked" in text_of(confirmed(staff, rows, "revoke"))
    assert "There was nothing to do." in text_of(act(staff, rows, "revoke", confirmed="2"))

    assert not ApiToken.objects.filter(revoked_at=None).exists()
    assert AuditEntry.objects.filter(action=Action.TOKEN_REVOKED).count() == 2


def test_an_old_key_ends_and_the_one_in_use_does_not(staff: Client, shop: NewProject):
    rotate_key(project=shop.project, grace_seconds=3600, actor=COMMAND_LINE, now=timezone.now())
    old, new = shop.project.keys.order_by("pk")

    page = text_of(confirmed(staff, [old, new], "end"))

    assert "1 ingest key expired" in page
    assert "this is the key in use" in page
    old.refresh_from_db()
    new.refresh_from_db()
    assert old.expires_at is not None
    assert old.expires_at <= timezone.now()
    assert new.expires_at is None
    assert AuditEntry.objects.filter(action=Action.KEY_ENDED).count() == 1
    assert "There was nothing to do." in text_of(act(staff, [old], "end", confirmed="1"))


def test_sessions_are_ended(staff: Client):
    row, kept = fresh_session(), fresh_session()

    assert "1 session ended" in text_of(confirmed(staff, [row], "revoke"))

    assert not Session.objects.filter(pk=row.pk).exists()
    assert Session.objects.filter(pk=kept.pk).exists()
    assert AuditEntry.objects.filter(action=Action.SESSION_REVOKED).count() == 1


def test_an_open_invite_is_revoked_once(staff: Client):
    row = fresh_invite()

    assert "1 invite revoked" in text_of(confirmed(staff, [row], "revoke"))
    assert "There was nothing to do." in text_of(act(staff, [row], "revoke", confirmed="1"))

    assert Invite.objects.get(pk=row.pk).revoked_at is not None
    assert AuditEntry.objects.filter(action=Action.INVITE_REVOKED).count() == 1


def test_roles_change_but_not_ones_own(staff: Client, admin: User, member: User):
    assert "1 person made admin" in text_of(confirmed(staff, [member], "make_admin"))
    assert "1 person made member" in text_of(confirmed(staff, [member], "make_member"))
    assert "cannot change your own role" in text_of(confirmed(staff, [admin], "make_member"))

    assert User.objects.get(pk=admin.pk).is_admin
    assert not User.objects.get(pk=member.pk).is_admin
    assert AuditEntry.objects.filter(action=Action.ROLE_CHANGED).count() == 2


def test_people_are_removed_but_not_oneself(staff: Client, admin: User, member: User):
    page = text_of(confirmed(staff, [admin, member, make_admin()], "remove"))

    assert "2 people removed" in page
    assert "cannot delete yourself" in page
    assert list(User.objects.all()) == [admin]


def test_a_passkey_goes_unless_it_is_the_only_way_in(staff: Client):
    row = fresh_passkey()

    assert "their only way in" in text_of(confirmed(staff, [row], "remove"))
    Passkey.objects.create(user=row.user, name="Key", credential_id="other", created_at=timezone.now())
    assert "1 passkey removed" in text_of(confirmed(staff, [row], "remove"))

    assert not Passkey.objects.filter(pk=row.pk).exists()
    assert AuditEntry.objects.filter(action=Action.PASSKEY_REMOVED).count() == 1


def test_somebody_joins_a_project_and_leaves_it(staff: Client, shop: NewProject):
    mia = make_user(username="mia")
    data = {"project": shop.project.pk, "user": str(mia.pk)}

    page = staff.post(reverse("admin:projects_membership_add"), data, follow=True)
    assert "mia in Shop: added" in text_of(page)
    assert "already exists" in text_of(staff.post(reverse("admin:projects_membership_add"), data))
    assert "1 membership ended" in text_of(confirmed(staff, [Membership.objects.get()], "remove"))

    assert not Membership.objects.exists()
    assert set(AuditEntry.objects.filter(target="mia in Shop").values_list("action", flat=True)) == {
        Action.MEMBER_ADDED,
        Action.MEMBER_REMOVED,
    }


# --- Projects ---------------------------------------------------------------------------------------------------


def test_a_project_is_made_and_its_key_shown_once(staff: Client):
    data = {"name": "Web", "slug": "web", "grouping": "v2"}

    page = staff.post(reverse("admin:projects_project_add"), data, follow=True)

    project = Project.objects.get(slug="web")
    key = project.keys.get().key
    assert (project.name, project.grouping) == ("Web", "v2")
    assert text_of(page).count(key) == 1
    assert key not in text_of(staff.get(page_url(project)))
    assert key not in str(page.client.cookies)
    assert AuditEntry.objects.filter(action=Action.PROJECT_CREATED, actor_name="ann", target="Web").count() == 1


@pytest.mark.parametrize(
    ("slug", "words"),
    [("Web Shop", "Small letters"), ("WEB", "Small letters"), ("shop", "exists already"), ("", "required")],
)
def test_a_slug_that_cannot_be_is_refused_in_words(slug: str, words: str, staff: Client, shop: NewProject):
    before = Project.objects.count()

    page = staff.post(reverse("admin:projects_project_add"), {"name": "Web", "slug": slug, "grouping": "v1"})

    assert words in text_of(page)
    assert Project.objects.count() == before


def test_a_project_is_renamed_and_regrouped_through_the_service(staff: Client, shop: NewProject):
    data = {"name": "Store", "grouping": "v2", "slug": "stolen"}

    page = staff.post(page_url(shop.project), data, follow=True)

    assert "Store is saved" in text_of(page)
    project = Project.objects.get(pk=shop.project.pk)
    assert (project.name, project.slug, project.grouping) == ("Store", "shop", "v2")
    assert AuditEntry.objects.filter(action=Action.PROJECT_CHANGED).count() == 2
    assert "History of Store" in text_of(staff.get(page_url(shop.project).replace("/change/", "/history/")))


def test_a_project_goes_by_its_name_only_and_through_the_removal(staff: Client, shop: NewProject):
    url = reverse("admin:projects_project_delete", args=[shop.project.pk])
    make_issue(shop.project)

    refused = staff.post(url, {"name": "shop"})
    assert refused.status_code == 422
    assert not Removal.objects.exists()
    page = text_of(staff.post(url, {"name": "Shop"}, follow=True))

    assert "Project Shop is gone" in page
    assert Removal.objects.get().name == "Shop"
    assert Issue.objects.exists()  # removed in the background, not by the request
    assert staff.get(url).status_code == 302
    assert AuditEntry.objects.filter(action=Action.PROJECT_DELETED, actor_name="ann").count() == 1


def test_the_default_project_stays(staff: Client, default_project: Project):
    url = reverse("admin:projects_project_delete", args=[default_project.pk])

    assert staff.get(url).status_code == 403
    assert staff.post(url, {"name": default_project.name}).status_code == 403
    assert url not in text_of(staff.get(page_url(default_project)))


def test_a_removal_shows_how_far_it_is(staff: Client):
    row = fresh_removal()

    for path in (list_url("projects_removal"), page_url(row)):
        assert "4 of 10 rows, 40\u00a0%" in text_of(staff.get(path))


# --- Source maps --------------------------------------------------------------------------------------------------


def test_a_deleted_source_map_is_gone_and_noted_and_no_list_reads_what_is_in_it(staff: Client):
    gone, kept = fresh_map(), fresh_map()

    with CaptureQueriesContext(connection) as captured:
        assert kept.filename in text_of(staff.get(list_url("errors_sourcemap")))
        assert kept.sha256 in text_of(staff.get(page_url(kept)))
    assert "1 source map deleted." in text_of(confirmed(staff, [gone], "delete_maps"))

    assert list(SourceMap.objects.values_list("pk", flat=True)) == [kept.pk]
    assert AuditEntry.objects.latest("pk").target == f"{gone.filename} of 1.4.0"
    assert not [query["sql"] for query in captured.captured_queries if '"content"' in query["sql"]]


# --- Alerts -----------------------------------------------------------------------------------------------------


def test_rules_are_switched_and_deleted_as_anywhere_else(staff: Client):
    rules = [make_rule(shop(), name=name) for name in ("one", "two")]

    act(staff, rules, "switch_off")
    assert set(AlertRule.objects.values_list("is_enabled", flat=True)) == {False}
    act(staff, rules[:1], "switch_on")
    confirmed(staff, rules[1:], "delete_rules")

    assert list(AlertRule.objects.values_list("name", "is_enabled")) == [("one", True)]
    acts = AuditEntry.objects.filter(action__startswith="alert_", actor_name="ann").values_list("action", "target")
    assert sorted(acts) == [
        ("alert_rule_changed", "one"),
        ("alert_rule_changed", "one"),
        ("alert_rule_changed", "two"),
        ("alert_rule_deleted", "two"),
    ]


def test_where_a_channel_leads_and_what_it_signs_with_is_not_shown(staff: Client):
    channel = fresh_channel()

    for path in (list_url("alerts_channel"), page_url(channel)):
        page = text_of(staff.get(path))
        assert "secretpart" not in page
        assert channel.secret not in page
    confirmed(staff, [channel], "remove_channels")

    assert not Channel.objects.exists()


def test_messages_are_sent_again(staff: Client):
    delivery = fresh_delivery()

    confirmed(staff, [delivery], "send_again")

    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == (Delivery.State.PENDING, 0)
