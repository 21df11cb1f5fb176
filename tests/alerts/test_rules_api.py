"""`/v1/alerts` as contract 6.1 has it: shapes, both forms, what a PUT leaves alone, who may do what."""

import json
from functools import partial
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEntry, User
from alerts.models import AlertRule
from alerts.services import rules
from projects.models import Membership
from projects.services.projects import NewProject
from tests.alerts.made import THRESHOLD, make_channel, make_rule
from tests.factories import make_project, make_token, make_user
from tests.ingest.conftest import at_once
from tests.ingest.conftest import shared_database as shared_database  # noqa: PLC0414  a fixture for these tests

pytestmark = pytest.mark.django_db
KEPT = {**THRESHOLD, "fingerprint": None, "route": None}
SCOPES = ("alerts:read", "alerts:write")
KEYS = {
    *("id", "name", "rule_type", "config", "enabled", "project_id", "description", "environment_filter"),
    *("source_filter", "cooldown_secs", "created_at", "updated_at"),
}


def json_call(client: Client, method: str, path: str, body: Any = None) -> Any:
    return client.generic(method, path, b"" if body is None else json.dumps(body), "application/json")


@pytest.fixture
def api(shop: NewProject) -> Client:
    token = make_token(shop.project, scopes=SCOPES)
    return Client(headers={"Authorization": f"Bearer {token.secret}"})


def post(client: Client, **body: Any) -> Any:
    return json_call(client, "POST", "/v1/alerts", body)


def put(client: Client, rule_id: int, **body: Any) -> Any:
    return json_call(client, "PUT", f"/v1/alerts/{rule_id}", body)


# --- Shapes -----------------------------------------------------------------------------------------------------------


def test_create_list_update_and_delete_make_a_round_trip(api: Client, shop: NewProject):  # appendix D 8
    made = post(api, name="Many", config=THRESHOLD)
    assert made.status_code == 200
    rule = made.json()
    assert set(rule) == KEYS
    assert (rule["name"], rule["rule_type"], rule["config"]) == ("Many", "threshold", KEPT)
    assert (rule["enabled"], rule["project_id"], rule["cooldown_secs"]) == (True, shop.project.pk, None)
    assert 1_700_000_000 < rule["created_at"] == rule["updated_at"] < 100_000_000_000

    assert api.get("/v1/alerts").json() == [rule]
    changed = put(api, rule["id"], name="More", enabled=False)
    assert changed.status_code == 200
    assert changed.json() == {**rule, "name": "More", "enabled": False, "updated_at": changed.json()["updated_at"]}

    channels = f"/v1/alerts/{rule['id']}/channels"
    added = json_call(api, "POST", channels, {"config": {"type": "email", "to": "a@b.c"}})
    assert added.status_code == 200
    channel = added.json()
    assert set(channel) == {"id", "rule_id", "channel_type", "config", "created_at"}
    assert channel["config"] == {"type": "email", "to": "a@b.c"}
    assert api.get(channels).json() == [channel]
    gone = api.delete(f"{channels}/{channel['id']}")
    assert (gone.status_code, gone.json()) == (200, {"deleted": channel["id"]})
    assert api.get(channels).json() == []

    deleted = api.delete(f"/v1/alerts/{rule['id']}")
    assert (deleted.status_code, deleted.json()) == (200, {"deleted": rule["id"]})
    assert api.get("/v1/alerts").json() == []


def test_an_invalid_address_is_refused(api: Client):  # appendix D 8
    rule = post(api, name="Many", config=THRESHOLD).json()

    answer = json_call(api, "POST", f"/v1/alerts/{rule['id']}/channels", {"config": {"type": "email", "to": "invalid"}})

    assert (answer.status_code, answer.json()) == (400, {"error": "invalid email address"})


@pytest.mark.parametrize(
    ("body", "config"),
    [
        ({"rule_type": "threshold", "threshold": 100, "window_secs": 300}, KEPT),
        ({"rule_type": "error_new"}, {"type": "new_issue", "environment": None}),
        (
            {"rule_type": "llm_latency", "threshold_ms": 900, "window_hours": 1, "model": "gpt-4o"},
            {
                "type": "llm_latency",
                "percentile": "p90",
                "threshold_ms": 900,
                "window_secs": 3600,
                "model_filter": "gpt-4o",
            },
        ),
        (
            {"rule_type": "llm_error_rate", "threshold_percent": 5, "window_hours": 24},
            {"type": "llm_error_rate", "threshold_percent": 5.0, "min_traces": 10, "window_secs": 86_400},
        ),
        ({"rule_type": "llm_budget"}, {"type": "llm_budget"}),
        ({"config": {"type": "llm_budget"}, "rule_type": "threshold"}, {"type": "llm_budget"}),
    ],
)
def test_both_forms_make_a_rule_that_echoes_all_keys(api: Client, body: dict[str, Any], config: dict[str, Any]):
    answer = post(api, name="n", **body)

    assert answer.status_code == 200, answer.json()
    assert answer.json()["config"] == config
    assert answer.json()["rule_type"] == config["type"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 422, "name is required"),
        ({"name": None, "config": THRESHOLD}, 422, "name is required"),
        ({"name": 7, "config": THRESHOLD}, 422, "name: Not a valid string."),
        ({"name": "  ", "config": THRESHOLD}, 400, "name is required"),
        ({"name": "n" * 201, "config": THRESHOLD}, 400, "name must be at most 200 characters"),
        ({"name": "n"}, 422, "config is required"),
        ({"name": "n", "config": []}, 422, 'config: Expected a dictionary of items but got type "list".'),
        ({"name": "n", "config": {"type": "mover"}}, 422, "unknown rule type: mover"),
        ({"name": "n", "config": {"type": "threshold"}}, 422, "config.threshold is required"),
        ({"name": "n", "rule_type": "mover"}, 400, "unknown rule type: mover"),
        ({"name": "n", "rule_type": "threshold", "threshold": 3}, 422, "config.window_secs is required"),
        ({"name": "n", "config": THRESHOLD, "cooldown_secs": "9"}, 422, "cooldown_secs: A valid integer is required."),
        ({"name": "n", "config": THRESHOLD, "cooldown_secs": -9}, 400, "cooldown_secs must be from 0 to 2592000"),
        (
            {"name": "n", "config": THRESHOLD, "source_filter": "x" * 513},
            400,
            "source_filter must be at most 512 characters",
        ),
        ({"name": "n", "config": THRESHOLD, "project_id": 7}, 422, "project_id: Not a valid string."),
    ],
)
def test_a_wrong_body_is_refused_and_nothing_is_written(api: Client, body: dict[str, Any], status: int, words: str):
    answer = post(api, **body)

    assert (answer.status_code, answer.json()) == (status, {"error": words})
    assert not AlertRule.objects.exists()


@pytest.mark.parametrize("body", [b"{", b"[]", b"7", b'"x"', b'{"name": "\\ud800", "config": {"type": "llm_budget"}}'])
def test_what_is_no_rule_at_all_is_a_clear_refusal(api: Client, body: bytes):
    answer = api.generic("POST", "/v1/alerts", body, "application/json")

    assert answer.status_code in (400, 422)
    assert answer.json()["error"]


def test_a_project_has_so_many_rules_and_no_more(
    api: Client, admin_client: Client, shop: NewProject, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rules, "MAX_RULES", 2)
    for project in (shop.project, shop.project, None):
        make_rule(project)

    answer = post(api, name="n", config=THRESHOLD)

    words = "there are at most 2 rules of a project, and as many of all projects"
    assert (answer.status_code, answer.json()) == (400, {"error": words})
    assert post(admin_client, name="n", config=THRESHOLD).status_code == 200
    assert AlertRule.objects.count() == 4


# --- PUT --------------------------------------------------------------------------------------------------------------


def test_a_put_leaves_alone_what_is_absent_or_null(api: Client, shop: NewProject):
    made = post(
        api, name="n", config=THRESHOLD, description="d", environment_filter="qa", source_filter="api", cooldown_secs=60
    ).json()

    for body in ({}, dict.fromkeys(KEYS - {"id"}), {"project_id": "another", "unknown": 1, "id": 99}):
        answer = put(api, made["id"], **body)
        assert (answer.status_code, answer.json()) == (200, made), body
    assert AuditEntry.objects.filter(action="alert_rule_changed").count() == 0


def test_a_put_changes_what_is_given(api: Client):
    made = post(api, name="n", config=THRESHOLD, description="d", environment_filter="qa", cooldown_secs=60).json()

    cleared = put(api, made["id"], description="", environment_filter=" ", cooldown_secs=-1).json()
    other = put(api, made["id"], config={"type": "new_issue"}).json()
    flat = put(api, made["id"], rule_type="threshold", threshold=5, window_secs=60).json()
    part = put(api, made["id"], threshold=9).json()

    assert (cleared["description"], cleared["environment_filter"], cleared["cooldown_secs"]) == (None, None, None)
    assert (other["rule_type"], other["config"]) == ("new_issue", {"type": "new_issue", "environment": None})
    assert flat["config"] == {**KEPT, "threshold": 5, "window_secs": 60}
    assert part["config"] == {**KEPT, "threshold": 9, "window_secs": 60}


def test_a_flat_put_that_names_the_rules_own_kind_leaves_its_other_parameters_alone(api: Client):
    made = post(api, name="n", rule_type="llm_latency", percentile="p50", threshold_ms=100, window_secs=60).json()

    part = put(api, made["id"], rule_type="llm_latency", threshold_ms=900)
    same = put(api, made["id"], rule_type="llm_latency")

    assert part.status_code == same.status_code == 200
    assert part.json()["config"] == same.json()["config"] == {**made["config"], "threshold_ms": 900}


@pytest.mark.django_db(transaction=True)
def test_of_flat_puts_at_once_each_is_applied_whole(shared_database: None):
    project = make_project(slug="shop").project
    rule = make_rule(project)
    headers = {"Authorization": f"Bearer {make_token(project, scopes=SCOPES).secret}"}
    clients = [Client(headers=headers) for _ in range(3)]

    for number in range(1, 6):
        changes: list[dict[str, Any]] = [
            {"threshold": number, "description": f"d{number}"},
            {"window_secs": 60 * number},
            {"route": f"/{number}", "name": f"n{number}"},
        ]
        calls = [partial(put, client, rule.pk, **change) for client, change in zip(clients, changes, strict=True)]
        assert [answer.status_code for answer in at_once(calls)] == [200, 200, 200]

        rule.refresh_from_db()
        expected = {**KEPT, "threshold": number, "window_secs": 60 * number, "route": f"/{number}"}
        assert (rule.config, rule.name, rule.description) == (expected, f"n{number}", f"d{number}")


@pytest.mark.parametrize("config", [{"type": "new_issue"}, {}, [], "threshold"])
def test_a_put_mends_a_config_that_cannot_be_read(api: Client, config: Any):
    made = post(api, name="Many", config=THRESHOLD).json()
    AlertRule.objects.update(config=config)

    mended = put(api, made["id"], threshold=5, window_secs=60).json()

    assert (mended["rule_type"], mended["config"]) == ("threshold", {**KEPT, "threshold": 5, "window_secs": 60})


def test_a_wrong_put_changes_nothing(api: Client):
    made = post(api, name="n", config=THRESHOLD).json()

    for body, status in (
        ({"name": ""}, 400),
        ({"name": "x", "config": {"type": "threshold"}}, 422),
        ({"name": "x", "enabled": "yes"}, 422),
        ({"name": "x", "rule_type": "nobody's"}, 400),
    ):
        assert put(api, made["id"], **body).status_code == status, body
    assert api.get("/v1/alerts").json() == [made]


@pytest.mark.parametrize("rule_id", [5, 2**63, 10**30])
def test_a_rule_that_is_not_there_is_not_found_in_the_contracts_words(api: Client, rule_id: int):
    words = {"error": f"alert rule {rule_id} not found"}
    for method, path in (
        ("PUT", ""),
        ("DELETE", ""),
        ("GET", "/channels"),
        ("POST", "/channels"),
        ("DELETE", "/channels/9"),
        ("POST", "/test"),
    ):
        answer = json_call(api, method, f"/v1/alerts/{rule_id}{path}", {"config": {"type": "email", "to": "a@b.c"}})
        assert (answer.status_code, answer.json()) == (404, words), (method, path)


# --- Who may what -----------------------------------------------------------------------------------------------------


def test_a_token_makes_rules_for_its_own_project_whatever_it_names(api: Client, shop: NewProject, other: NewProject):
    for named in ({}, {"project_id": None}, {"project_id": other.project.pk}, {"project_id": "nobody"}):
        assert post(api, name="n", config=THRESHOLD, **named).json()["project_id"] == shop.project.pk


def test_a_token_sees_its_own_and_global_rules_and_changes_its_own_only(
    api: Client, shop: NewProject, other: NewProject
):
    own, foreign, everywhere = make_rule(shop.project), make_rule(other.project), make_rule(None)

    listed = api.get(f"/v1/alerts?project_id={other.project.pk}").json()

    assert [rule["id"] for rule in listed] == [own.pk, everywhere.pk]
    assert put(api, own.pk, name="x").status_code == 200
    assert put(api, foreign.pk, name="x").status_code == 404
    path, channel = f"/v1/alerts/{everywhere.pk}", make_channel(everywhere).channel
    refused = (
        put(api, everywhere.pk, name="x"),
        api.delete(path),
        json_call(api, "POST", f"{path}/channels", {"config": {"type": "email", "to": "a@b.c"}}),
        api.delete(f"{path}/channels/{channel.pk}"),
        api.post(f"{path}/test"),
    )
    for answer in refused:
        assert (answer.status_code, answer.json()) == (
            403,
            {"error": "a token may change rules of its own project only"},
        )
    assert set(AlertRule.objects.values_list("name", flat=True)) == {"x", "Many errors"}


def test_scopes_are_asked_for(shop: NewProject):
    rule = make_rule(shop.project)
    reader = Client(headers={"Authorization": f"Bearer {make_token(shop.project, scopes=('alerts:read',)).secret}"})
    writer = Client(headers={"Authorization": f"Bearer {make_token(shop.project, scopes=('alerts:write',)).secret}"})

    assert reader.get("/v1/alerts").status_code == 200
    assert put(reader, rule.pk, name="x").json() == {"error": "token lacks required scope: alerts:write"}
    assert writer.get("/v1/alerts").json() == {"error": "token lacks required scope: alerts:read"}
    assert put(writer, rule.pk, name="x").status_code == 200


def test_a_session_sees_the_rules_of_its_projects_and_of_all(
    admin_client: Client, member_client: Client, shop: NewProject, other: NewProject
):
    own, foreign, everywhere = make_rule(shop.project), make_rule(other.project), make_rule(None)

    def seen(client: Client, query: str = "") -> list[int]:
        return [rule["id"] for rule in client.get(f"/v1/alerts{query}").json()]

    assert seen(admin_client) == [own.pk, foreign.pk, everywhere.pk]
    assert seen(admin_client, f"?project_id={other.project.pk}") == [foreign.pk, everywhere.pk]
    assert seen(member_client) == [own.pk, everywhere.pk]
    assert seen(member_client, f"?project_id={other.project.pk}") == [everywhere.pk]


def test_members_look_and_who_manages_the_project_changes(
    member_client: Client, member: User, shop: NewProject, other: NewProject
):
    own, foreign, everywhere = make_rule(shop.project), make_rule(other.project), make_rule(None)

    refused = {
        "made": post(member_client, name="n", config=THRESHOLD, project_id=shop.project.pk),
        "changed": put(member_client, own.pk, name="x"),
        "deleted": member_client.delete(f"/v1/alerts/{own.pk}"),
        "tested": member_client.post(f"/v1/alerts/{own.pk}/test"),
    }
    for act, answer in refused.items():
        words = {"error": "only an admin or the project's creator may do this"}
        assert (answer.status_code, answer.json()) == (403, words), act
    for answer in (post(member_client, name="n", config=THRESHOLD), put(member_client, everywhere.pk, name="x")):
        words = {"error": "only an admin may do this to a rule of all projects"}
        assert (answer.status_code, answer.json()) == (403, words)
    assert put(member_client, foreign.pk, name="x").status_code == 404
    assert post(member_client, name="n", config=THRESHOLD, project_id=other.project.pk).status_code == 404

    shop.project.created_by = member
    shop.project.save()
    assert put(member_client, own.pk, name="x").status_code == 200
    assert post(member_client, name="n", config=THRESHOLD, project_id=shop.project.pk).status_code == 200
    Membership.objects.filter(user=member).delete()
    assert put(member_client, own.pk, name="y").status_code == 404


def test_an_admin_makes_rules_for_all_projects(admin_client: Client):
    made = post(admin_client, name="n", config=THRESHOLD).json()

    assert made["project_id"] is None
    assert put(admin_client, made["id"], enabled=False).json()["enabled"] is False


def test_each_act_is_in_the_audit_log_with_who_did_it_and_through_which_token(shop: NewProject, admin_client: Client):
    token = make_token(shop.project, scopes=SCOPES)
    api = Client(headers={"Authorization": f"Bearer {token.secret}"})
    rule_id = post(api, name="n", config=THRESHOLD).json()["id"]
    put(admin_client, rule_id, name="x", enabled=False)
    added = json_call(api, "POST", f"/v1/alerts/{rule_id}/channels", {"config": {"type": "email", "to": "a@b.c"}})
    api.delete(f"/v1/alerts/{rule_id}/channels/{added.json()['id']}")
    admin_client.delete(f"/v1/alerts/{rule_id}")

    entries = AuditEntry.objects.filter(action__startswith="alert_").order_by("pk")

    told = [(entry.action, entry.target, entry.actor_name, entry.detail.get("token")) for entry in entries]
    assert told == [
        ("alert_rule_created", "n", "command line", "ci"),
        ("alert_rule_changed", "x", "ann", None),
        ("alert_channel_added", "x", "command line", "ci"),
        ("alert_channel_removed", "x", "command line", "ci"),
        ("alert_rule_deleted", "x", "ann", None),
    ]
    assert {entry.project_id for entry in entries} == {shop.project.pk}
    assert entries[1].detail == {
        "before": {"name": "n", "is_enabled": True},
        "after": {"name": "x", "is_enabled": False},
    }


def test_a_rule_of_a_project_that_is_being_removed_cannot_be_made(admin_client: Client, shop: NewProject):
    from django.utils import timezone

    shop.project.removing_at = timezone.now()
    shop.project.save()

    answer = post(admin_client, name="n", config=THRESHOLD, project_id=shop.project.pk)

    assert (answer.status_code, answer.json()) == (404, {"error": "project not found"})


def test_somebody_without_a_project_sees_global_rules_alone(shop: NewProject):
    make_rule(shop.project)
    everywhere = make_rule(None)
    client = Client()
    client.force_login(make_user())

    assert [rule["id"] for rule in client.get("/v1/alerts").json()] == [everywhere.pk]
