"""The pages of alerts: rules as sentences, the editor without JavaScript, history, broken channels."""

import re
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from accounts.models import AuditEntry
from alerts.models import AlertRule, Channel, Delivery
from bloop_site.lib.clock import DAY_MS, now_ms
from errors.links import issue_url
from errors.models import Issue
from projects.services.projects import NewProject
from tests.alerts.made import MAIL, SLACK, WEBHOOK, break_channel, make_channel, make_firing, make_rule
from tests.factories import event_json, make_user, record

pytestmark = pytest.mark.django_db
HX = {"HX-Request": "true"}
FORM = {
    "kind": "threshold",
    "name": "Many in production",
    "project": "shop",
    "threshold": "100",
    "window_secs_number": "5",
    "window_secs_unit": "60",
    "environment_filter": "production",
    "cooldown_secs_number": "",
    "cooldown_secs_unit": "60",
    "channel_type": "",
}


def words(answer: Any) -> str:
    """The text of a page, its tags and blank space squeezed."""
    text = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", answer.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+([,.:])", r"\1", re.sub(r"\s+", " ", text.replace("&#x27;", "'")))


# --- The list ---------------------------------------------------------------------------------------------------------


def test_rules_stand_by_project_as_sentences_with_whom_they_tell(admin_client: Client, shop: NewProject):
    make_channel(make_rule(shop.project, name="Storm", environment_filter="production"), MAIL)
    make_rule(None, name="Everywhere", config={"type": "new_issue"})

    page = words(admin_client.get("/alerts"))

    assert "When errors happen more than 100 times in 5 minutes in production, tell ann@example.com" in page
    everywhere = "When an error is seen for the first time or comes back after it was resolved, tell nobody yet"
    assert everywhere in page
    assert (
        page.index("All projects 1 rule") < page.index("Everywhere") < page.index("Shop 1 rule") < page.index("Storm")
    )


def test_slack_notifications_are_tested_via_settings_alerts_test(
    admin_client: Client, shop: NewProject
):  # seed, Troubleshooting: "Test the alert via Settings → Alerts → Test"
    rule = make_rule(shop.project)

    settings = admin_client.get("/settings/projects").content.decode()
    alerts = admin_client.get("/alerts").content.decode()

    assert '<a class="tabs__item" href="/alerts">Alerts</a>' in settings
    assert f'action="/alerts/{rule.pk}/test"' in alerts
    assert re.search(r'<button [^>]*type="submit">Test<span class="sr-only"> Many errors</span></button>', alerts)


@pytest.mark.parametrize("config", [{"type": "threshold"}, {}, [], "threshold"])
def test_a_rule_that_cannot_be_read_says_so(admin_client: Client, shop: NewProject, config: Any):
    rule = make_rule(shop.project)
    AlertRule.objects.filter(pk=rule.pk).update(config=config)

    for path in ("/alerts", f"/alerts/{rule.pk}"):
        page = admin_client.get(path)
        assert "Nobody can read what this rule asks for, so it never fires." in words(page)
        assert f'href="/alerts/{rule.pk}/edit"' in page.content.decode()
    assert admin_client.get(f"/alerts/{rule.pk}/edit").status_code == 200


def test_a_rule_is_switched_off_and_on_in_its_row(admin_client: Client, shop: NewProject):
    rule = make_rule(shop.project)

    part = admin_client.post(f"/alerts/{rule.pk}/switch", {"on": "0"}, headers=HX)
    whole = admin_client.post(f"/alerts/{rule.pk}/switch", {"on": "1"})

    assert part.content.decode().strip().startswith("<tr")
    assert 'aria-checked="false"' in part.content.decode()
    assert whole.headers["Location"] == "/alerts"
    rule.refresh_from_db()
    assert rule.is_enabled
    assert AuditEntry.objects.filter(action="alert_rule_changed").count() == 2


def test_a_list_without_rules_teaches_the_kinds(admin_client: Client, member_client: Client, settings: LazySettings):
    page = admin_client.get("/alerts")
    assert "Nobody is told yet" in words(page)
    assert 'href="/alerts/new?kind=threshold"' in page.content.decode()
    assert "LLM budget" in words(page)
    assert "Rules are made by admins and by whoever made a project." in words(member_client.get("/alerts"))

    settings.BLOOP = settings.BLOOP.model_copy(
        update={"llm_tracing": settings.BLOOP.llm_tracing.model_copy(update={"enabled": False})}
    )
    assert "LLM budget" not in words(admin_client.get("/alerts"))


def test_a_member_looks_without_acts_and_without_secrets(member_client: Client, shop: NewProject):
    rule = make_rule(shop.project)
    make_channel(rule, SLACK)
    make_firing(rule, shop.project, state="failed")

    for path in ("/alerts", f"/alerts/{rule.pk}", "/alerts/history"):
        page = member_client.get(path).content.decode()
        assert 'method="post" action="/alerts' not in page, path
        assert "secretpart" not in page, path
    assert "Delete this rule" not in member_client.get(f"/alerts/{rule.pk}").content.decode()


# --- The editor -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("new_issue", {"environment": "production"}),
        ("threshold", {"threshold": "9", "window_secs_number": "2", "window_secs_unit": "3600", "route": "/x"}),
        (
            "spike",
            {
                "method": "seasonal",
                "multiplier": "",
                "compare_window_secs_number": "",
                "baseline_window_secs_number": "",
            },
        ),
        (
            "spike",
            {
                "method": "rate",
                "multiplier": "2.5",
                "compare_window_secs_number": "5",
                "compare_window_secs_unit": "60",
                "baseline_window_secs_number": "1",
                "baseline_window_secs_unit": "3600",
            },
        ),
        ("llm_cost_spike", {"threshold_dollars": "1.5", "window_secs_number": "1", "window_secs_unit": "3600"}),
        (
            "llm_error_rate",
            {"threshold_percent": "5", "window_secs_number": "1", "window_secs_unit": "60", "min_traces": "3"},
        ),
        (
            "llm_latency",
            {"percentile": "p99", "threshold_ms": "900", "window_secs_number": "15", "window_secs_unit": "60"},
        ),
        ("llm_budget", {}),
    ],
)
def test_each_kind_is_offered_filled_in_made_and_edited(
    admin_client: Client, shop: NewProject, kind: str, fields: dict[str, str]
):
    offered = admin_client.get(f"/alerts/new?kind={kind}&project=shop")
    assert f'<input type="hidden" name="kind" value="{kind}">' in offered.content.decode()

    made = admin_client.post(
        "/alerts/new", {"kind": kind, "name": "n", "project": "shop", "cooldown_secs_unit": "60", **fields}
    )

    assert made.status_code == 302, words(made)
    rule = AlertRule.objects.get()
    assert (rule.rule_type, rule.project_id, made.headers["Location"]) == (kind, shop.project.pk, f"/alerts/{rule.pk}")
    for name, value in fields.items():
        if name in rule.config and value:
            assert str(rule.config[name]) in (value, f"{value}.0")
    editor = admin_client.get(f"/alerts/{rule.pk}/edit").content.decode()
    for name, value in fields.items():
        if value and not name.endswith("_unit") and name not in ("method", "percentile"):
            assert re.search(rf'name="{name}"[^>]* value="{re.escape(value)}"', editor), name


def test_a_rule_is_made_with_its_first_channel(admin_client: Client, shop: NewProject):
    made = admin_client.post("/alerts/new", {**FORM, "channel_type": "webhook", "webhook-url": WEBHOOK["url"]})

    rule, channel = AlertRule.objects.get(), Channel.objects.get()
    assert rule.config == {
        "type": "threshold",
        "threshold": 100,
        "window_secs": 300,
        "fingerprint": None,
        "route": None,
    }
    assert (rule.environment_filter, rule.cooldown_secs) == ("production", None)
    page = admin_client.get(made.headers["Location"])
    assert channel.secret in page.content.decode()
    assert channel.secret not in admin_client.get(made.headers["Location"]).content.decode()


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"name": " "}, "Give it a name."),
        ({"threshold": ""}, "Events: say how many."),
        ({"threshold": "many"}, "Events: a number from 0 to 1,000,000,000."),
        ({"window_secs_number": ""}, "Window: say how long."),
        ({"window_secs_number": "8", "window_secs_unit": "86400"}, "Window: at most 7 days."),
        ({"project": "other"}, "Select a valid choice."),
        ({"cooldown_secs_number": "31", "cooldown_secs_unit": "86400"}, "Quiet for: at most 30 days."),
        ({"environment_filter": "x" * 513}, "Environment: at most 512 characters."),
    ],
)
def test_a_form_that_is_wrong_says_what_and_keeps_what_was_typed(
    admin_client: Client, shop: NewProject, wrong: dict[str, str], reason: str
):
    answer = admin_client.post("/alerts/new", {**FORM, "route": "/kept", **wrong})

    assert answer.status_code == 422
    assert reason in words(answer)
    assert 'value="/kept"' in answer.content.decode()
    assert not AlertRule.objects.exists()


def test_a_rule_about_new_errors_asks_for_an_environment_once_unless_both_are_in_force(
    admin_client: Client, shop: NewProject
):
    both = make_rule(shop.project, config={"type": "new_issue", "environment": "dev"}, environment_filter="production")

    asked = [
        admin_client.get(path).content.decode().count('name="environment')
        for path in ("/alerts/new?kind=new_issue", "/alerts/new?kind=threshold", f"/alerts/{both.pk}/edit")
    ]

    assert asked == [1, 1, 2]


@pytest.mark.parametrize(
    ("channel", "reason"),
    [
        ({"channel_type": "email", "email-to": "invalid"}, "Invalid email address"),
        ({"channel_type": "webhook", "webhook-url": ""}, "Invalid channel URL: it is missing"),
        ({"channel_type": "webhook", "webhook-url": "http://10.0.0.1/typed"}, "leads into a private network"),
        ({"channel_type": "pigeon"}, "Choose where to."),
    ],
)
def test_a_channel_that_is_refused_is_told_before_the_rule_is_saved(
    admin_client: Client, shop: NewProject, channel: dict[str, str], reason: str
):
    answer = admin_client.post("/alerts/new", {**FORM, **channel})

    assert answer.status_code == 422
    assert reason in words(answer)
    assert f'value="{channel.get("webhook-url") or FORM["name"]}"' in answer.content.decode(), "what was typed is kept"
    assert not AlertRule.objects.exists()


def test_somebody_who_manages_nothing_cannot_make_a_rule(member_client: Client, shop: NewProject):
    assert "No project of yours to make rules for" in words(member_client.get("/alerts/new"))

    for project in ("", "shop"):
        assert member_client.post("/alerts/new", {**FORM, "project": project}).status_code == 422
    assert not AlertRule.objects.exists()


def test_who_made_a_project_makes_its_rules_and_none_for_all(member_client: Client, member: Any, shop: NewProject):
    shop.project.created_by = member
    shop.project.save()

    assert member_client.post("/alerts/new", {**FORM, "project": ""}).status_code == 422
    assert member_client.post("/alerts/new", FORM).status_code == 302
    assert AlertRule.objects.get().project_id == shop.project.pk


def test_another_kind_is_chosen_by_an_address(admin_client: Client, shop: NewProject):
    rule = make_rule(shop.project)

    other = admin_client.get(f"/alerts/{rule.pk}/edit?kind=new_issue")
    saved = admin_client.post(
        f"/alerts/{rule.pk}/edit", {"kind": "new_issue", "name": "n", "project": "shop", "cooldown_secs_unit": "60"}
    )

    assert 'name="threshold"' not in other.content.decode()
    assert saved.status_code == 302
    rule.refresh_from_db()
    assert (rule.rule_type, rule.name) == ("new_issue", "n")


# --- One rule ---------------------------------------------------------------------------------------------------------


def test_channels_are_added_rotated_and_removed_on_the_page(admin_client: Client, shop: NewProject):
    rule = make_rule(shop.project)
    path = f"/alerts/{rule.pk}"

    assert "Choose where to." in words(admin_client.post(f"{path}/channels", {}))
    wrong = admin_client.post(f"{path}/channels", {"channel_type": "email", "email-to": "invalid"})
    assert (wrong.status_code, "Invalid email address." in words(wrong)) == (422, True)
    admin_client.post(f"{path}/channels", {"channel_type": "webhook", "webhook-url": WEBHOOK["url"]})
    channel = Channel.objects.get()
    first = channel.secret
    assert first in admin_client.get(path).content.decode()
    admin_client.post(f"{path}/channels/{channel.pk}/secret")
    channel.refresh_from_db()
    assert channel.secret != first
    page = admin_client.get(path).content.decode()
    assert channel.secret in page
    assert "secretpart" not in page
    admin_client.post(f"{path}/channels/{channel.pk}/remove")
    assert not Channel.objects.exists()


def test_a_rule_is_deleted_when_its_name_is_typed(admin_client: Client, shop: NewProject):
    rule = make_rule(shop.project, name="Café")

    refused = admin_client.post(f"/alerts/{rule.pk}/delete", {"name": "Cafe"})
    deleted = admin_client.post(f"/alerts/{rule.pk}/delete", {"name": " Cafe\u0301 "})

    assert (refused.status_code, "That is not its name." in words(refused)) == (422, True)
    assert deleted.headers["Location"] == "/alerts"
    assert not AlertRule.objects.exists()


def test_the_history_of_a_rule_tells_what_became_of_each_message(admin_client: Client, shop: NewProject):
    rule = make_rule(shop.project)
    make_channel(rule, SLACK)
    firing = make_firing(
        rule,
        shop.project,
        state="failed",
        title="Too many",
        message="148 errors",
        measured=148,
        details={"threshold": 100},
    )
    Delivery.objects.filter(firing=firing).update(attempts=6, reply="<b>no_service</b>")

    page = admin_client.get(f"/alerts/{rule.pk}")

    text = words(page)
    assert "Too many" in text
    assert "measured 148" in text
    assert "limit 100" in text
    assert "did not get it" in text
    assert "6 attempts answered 502" in text
    assert "&lt;b&gt;no_service&lt;/b&gt;" in page.content.decode()
    assert f'action="/alerts/deliveries/{firing.deliveries.get().pk}/resend"' in page.content.decode()


def test_a_digest_counts_alerts_and_measures_nothing(admin_client: Client, shop: NewProject):
    rule = make_rule(
        shop.project, config={"type": "llm_latency", "percentile": "p99", "threshold_ms": 9, "window_secs": 60}
    )
    make_firing(rule, shop.project, title="5 more alerts", measured=5, is_digest=True)

    text = words(admin_client.get(f"/alerts/{rule.pk}"))

    assert "5 more alerts" in text
    assert "measured" not in text


def test_a_firing_leads_to_its_issue_and_nowhere_else(admin_client: Client, shop: NewProject):
    record(shop.project, event_json(fingerprint="a/b"))
    rule, llm = make_rule(shop.project), make_rule(shop.project, config={"type": "llm_budget"})
    assert Issue.objects.count() == 1
    for url in ("https://evil.example", "//evil.example", "/\\evil.example", None):
        make_firing(rule, shop.project, fingerprint="a/b", details={"url": url})
    make_firing(rule, shop.project, details={"url": "/llm?project=shop"})
    make_firing(llm, shop.project)

    page = admin_client.get("/alerts/history").content.decode()

    assert "evil" not in page
    assert page.count(f'<p class="firing__title"><a href="{issue_url("shop", "a/b")}"') == 4
    assert page.count('<p class="firing__title"><a href="/llm?project=shop"') == 2


# --- History ----------------------------------------------------------------------------------------------------------


def test_history_is_narrowed_by_rule_state_project_and_window(
    admin_client: Client, shop: NewProject, other: NewProject
):
    rule, everywhere = make_rule(shop.project, name="Mine"), make_rule(None, name="All")
    make_channel(rule)
    make_channel(everywhere)
    make_firing(rule, shop.project, title="arrived one")
    make_firing(rule, shop.project, title="failed one", state="failed")
    make_firing(everywhere, other.project, title="waiting one", state="pending")
    make_firing(everywhere, other.project, title="held one", is_held=True)
    make_firing(make_rule(shop.project), shop.project, title="unsent one")
    make_firing(rule, shop.project, title="old one", at_ms=now_ms() - 20 * DAY_MS)

    def seen(query: str) -> set[str]:
        page = words(admin_client.get(f"/alerts/history{query}"))
        return {each for each in ("arrived", "failed", "waiting", "held", "unsent", "old") if f"{each} one" in page}

    assert seen("") == {"arrived", "failed", "waiting", "held", "unsent"}
    assert seen("?hours=720") == seen("?hours=0") == {"arrived", "failed", "waiting", "held", "unsent", "old"}
    for state in ("arrived", "failed", "waiting", "held", "unsent"):
        assert seen(f"?state={state}") == {state}
    assert seen(f"?rule={rule.pk}") == {"arrived", "failed"}
    assert seen("?project=other") == {"waiting", "held"}
    assert seen("?rule=x&state=x&hours=x") == seen("")
    part = admin_client.get("/alerts/history?state=failed", headers=HX).content.decode()
    assert part.strip().startswith('<div class="flow" id="results">')


def test_members_see_what_fired_in_their_projects_only(member_client: Client, shop: NewProject, other: NewProject):
    everywhere = make_rule(None)
    make_firing(everywhere, shop.project, title="of the shop")
    make_firing(everywhere, other.project, title="of another")

    for path in ("/alerts/history", f"/alerts/{everywhere.pk}"):
        page = words(member_client.get(path))
        assert "of the shop" in page
        assert "of another" not in page


def test_history_is_paged(admin_client: Client, shop: NewProject):
    rule = make_rule(shop.project)
    for _ in range(51):
        make_firing(rule, shop.project)

    first, second = (words(admin_client.get(f"/alerts/history?page={page}")) for page in (1, 2))

    assert "1 to 50 of 51" in first
    assert "51 to 51 of 51" in second


# --- Broken channels --------------------------------------------------------------------------------------------------


def test_a_broken_channel_is_told_of_on_the_errors_page_and_on_alerts(
    admin_client: Client, member_client: Client, shop: NewProject, other: NewProject
):
    record(shop.project, event_json())
    rule = make_rule(shop.project, name="Storm")
    channel = make_channel(rule, SLACK).channel
    break_channel(channel, failures=2)
    assert "does not get the alerts" not in words(admin_client.get("/errors"))

    break_channel(channel, failures=3, words="404 no_service")

    for client in (admin_client, member_client):
        for path in ("/errors", "/alerts"):
            page = client.get(path)
            assert "does not get the alerts of “ Storm ”: 3 failed in a row" in words(page)
            assert "404 no_service" in words(page)
            assert f'href="/alerts/{rule.pk}#channels"' in page.content.decode()
    stranger = Client()
    stranger.force_login(make_user(projects=(other.project,)))
    assert "Storm" not in words(stranger.get("/errors")) + words(stranger.get("/alerts"))
    AlertRule.objects.update(is_enabled=False)
    assert "does not get the alerts" not in words(admin_client.get("/errors"))


def test_what_a_channel_of_all_projects_answered_is_told_to_admins_alone(
    admin_client: Client, member_client: Client, shop: NewProject
):
    record(shop.project, event_json())
    rule = make_rule(None, name="Everywhere")
    channel = make_channel(rule, SLACK).channel
    break_channel(channel, words="400 cannot take “an error of another project”")
    make_firing(rule, shop.project, state="failed")
    Delivery.objects.update(reply="400 cannot take “an error of another project”")

    for path in ("/errors", "/alerts", f"/alerts/{rule.pk}", "/alerts/history"):
        assert "an error of another project" in words(admin_client.get(path)), path
        assert "an error of another project" not in words(member_client.get(path)), path
    assert "does not get the alerts of “ Everywhere ”: 3 failed in a row" in words(member_client.get("/alerts"))


@pytest.mark.parametrize("config", [[], "x", 5, {}, {"url": None}, {"url": 5}, {"url": "http://[/"}])
def test_a_stored_config_that_cannot_be_read_breaks_no_page(admin_client: Client, shop: NewProject, config: Any):
    rule = make_rule(shop.project)
    make_channel(rule, WEBHOOK)
    AlertRule.objects.update(config=config)
    Channel.objects.update(config=config)

    for path in ("/alerts", f"/alerts/{rule.pk}", f"/alerts/{rule.pk}/edit"):
        assert admin_client.get(path).status_code == 200, path
    changed = admin_client.put(f"/v1/alerts/{rule.pk}", {"threshold": 5}, "application/json")
    assert (changed.status_code, changed.json()) == (422, {"error": "config.window_secs is required"})
