"""The endpoints of Insights (contract 7): shapes, bounds, whose answers, and that they can be switched off."""

import json
from math import sqrt
from typing import Any

import pytest
from django.test import Client

from analytics.api import base
from projects.services.projects import NewProject
from tests.analytics.told import HOUR, NOW, tell, tell_everything
from tests.factories import make_token, make_user

ENDPOINTS = ("spikes", "movers", "correlations", "releases", "environments")
SPIKE_KEYS = ["fingerprint", "error_type", "message", "hour_bucket", "count", "mean", "stddev", "zscore"]


@pytest.fixture(autouse=True)
def at_half_past(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "now_ms", lambda: NOW)


@pytest.fixture
def client(shop: NewProject) -> Client:
    """A token of the shop that may read Insights and nothing else."""
    token = make_token(shop.project, scopes=("analytics:read",))
    return Client(headers={"Authorization": f"Bearer {token.secret}"})


def refuse_constant(name: str) -> float:
    raise AssertionError(f"{name} is no JSON")


def get(client: Client, path: str) -> Any:
    """The answer, which is strict JSON: no NaN, no Infinity."""
    answer = client.get(f"/v1/analytics/{path}")
    assert answer.status_code == 200, answer.content
    return json.loads(answer.content, parse_constant=refuse_constant)


# --- Shapes: every key, in the order of the contract ------------------------------------------------------------------


def test_spikes_have_the_documented_shape(client: Client, shop: NewProject):
    """Of ten hours one holds ten events: mean 1, sample deviation sqrt(90 / 9), z the largest there can be."""
    tell(shop.project, "Burst", {3: 10})

    found = get(client, "spikes?hours=10")

    assert list(found) == ["spikes", "threshold", "window_hours"]
    assert [list(each) for each in found["spikes"]] == [SPIKE_KEYS]
    assert found["spikes"][0] == {
        "fingerprint": "Burst",
        "error_type": "Burst",
        "message": "Burst failed",
        "hour_bucket": HOUR - 3 * 3_600_000,
        "count": 10,
        "mean": 1.0,
        "stddev": pytest.approx(sqrt(10)),
        "zscore": pytest.approx(9 / sqrt(10)),
    }
    assert (found["threshold"], found["window_hours"]) == (2.5, 10)


def test_movers_have_the_documented_shape(client: Client, shop: NewProject):
    tell(shop.project, "More", {1: 9, 30: 3})
    tell(shop.project, "Gone", {30: 4})

    found = get(client, "movers?hours=24")

    assert list(found) == ["movers", "window_hours"]
    assert [list(each.items()) for each in found["movers"]] == [
        [
            *(("fingerprint", "More"), ("error_type", "More"), ("message", "More failed")),
            *(("count_current", 9), ("count_previous", 3), ("delta", 6), ("delta_pct", 200.0)),
        ],
        [
            *(("fingerprint", "Gone"), ("error_type", "Gone"), ("message", "Gone failed")),
            *(("count_current", 0), ("count_previous", 4), ("delta", -4), ("delta_pct", -100.0)),
        ],
    ]
    assert found["window_hours"] == 24


def test_correlations_have_the_documented_shape(client: Client, shop: NewProject):
    for name in ("b", "a"):
        tell(shop.project, name, {hour: hour for hour in range(1, 7)})

    found = get(client, "correlations?hours=24")

    assert list(found) == ["pairs", "window_hours"]
    (pair,) = found["pairs"]
    assert list(pair) == ["fingerprint_a", "fingerprint_b", "message_a", "message_b", "correlation"]
    assert list(pair.values())[:4] == ["a", "b", "a failed", "b failed"]
    assert pair["correlation"] == pytest.approx(1.0)


def test_releases_have_the_documented_shape(client: Client, shop: NewProject):
    tell(shop.project, "a", {50: 2}, release="1.3.0")
    tell(shop.project, "a", {10: 1}, release="1.4.0")
    tell(shop.project, "b", {9: 2}, release="1.4.0")

    found = get(client, "releases")

    assert list(found) == ["releases"]
    assert [list(each.items()) for each in found["releases"]] == [
        [
            *(("release", "1.4.0"), ("first_seen", HOUR - 10 * 3_600_000 + 1000), ("error_count", 3)),
            *(("unique_fingerprints", 2), ("new_fingerprints", 1), ("error_delta", 1), ("impact_score", 60.0)),
        ],
        [
            *(("release", "1.3.0"), ("first_seen", HOUR - 50 * 3_600_000 + 1000), ("error_count", 2)),
            *(("unique_fingerprints", 1), ("new_fingerprints", 1), ("error_delta", 0), ("impact_score", 10.0)),
        ],
    ]


def test_environments_have_the_documented_shape(client: Client, shop: NewProject):
    tell(shop.project, "a", {1: 2, 2: 4})
    tell(shop.project, "b", {1: 2}, environment="staging")

    found = get(client, "environments?hours=24")

    assert list(found) == ["environments", "total_count"]
    assert list(found["environments"][0].items()) == [
        *(("environment", "production"), ("total_count", 6), ("unique_errors", 1), ("pct_of_total", 75.0)),
        *(("p50_hourly", 3.0), ("p90_hourly", pytest.approx(3.8)), ("p99_hourly", pytest.approx(3.98))),
    ]
    assert (found["environments"][1]["environment"], found["total_count"]) == ("staging", 8)


@pytest.mark.parametrize("path", ENDPOINTS)
def test_where_nothing_happened_the_answer_is_empty_and_whole(path: str, client: Client):
    found = get(client, path)

    rows, *rest = found.values()
    assert rows == []
    assert all(isinstance(each, int | float) for each in rest)


def test_series_that_never_change_are_no_numbers_that_json_lacks(client: Client, shop: NewProject):
    """Contract 7.3: the original told `null` for the correlation of two of them."""
    for name in ("a", "b"):
        tell(shop.project, name, dict.fromkeys(range(12), 1))

    assert get(client, "correlations?hours=12")["pairs"] == []
    assert get(client, "spikes?hours=12&threshold=-1")["spikes"] == []


@pytest.mark.parametrize("path", [*ENDPOINTS, "spikes?method=seasonal"])
@pytest.mark.parametrize("hours", [1, 2, 720])
def test_the_shortest_and_the_longest_window_are_answered(path: str, hours: int, client: Client, shop: NewProject):
    tell_everything(shop.project)

    joint = "&" if "?" in path else "?"
    assert get(client, f"{path}{joint}hours={hours}&threshold=0.1")


# --- What may be asked ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "hours"), [("", 72), ("hours=0", 1), ("hours=-5", 1), ("hours=721", 720), ("hours=24", 24)]
)
def test_hours_are_held_within_1_and_720(query: str, hours: int, client: Client):
    for path in ("spikes", "movers", "correlations"):
        assert get(client, f"{path}?{query}")["window_hours"] == hours


@pytest.mark.parametrize(("query", "rows"), [("", 20), ("limit=0", 1), ("limit=3", 3), ("limit=1000", 25)])
def test_the_limit_is_20_and_held_within_1_and_100(query: str, rows: int, client: Client, shop: NewProject):
    for number in range(25):
        tell(shop.project, f"e{number:02}", {1: number + 1}, environment=f"env-{number}", release=f"1.{number}")

    assert len(get(client, f"movers?{query}")["movers"]) == rows
    assert len(get(client, f"releases?{query}")["releases"]) == rows
    environments = get(client, f"environments?{query}")
    assert len(environments["environments"]) == rows
    assert environments["total_count"] == 325  # of all of them


@pytest.mark.parametrize(
    "query",
    [
        *("hours=day", "limit=all", "environment=%00"),
        *("threshold=high", "threshold=nan", "threshold=inf", "threshold=-inf", "method=magic"),
    ],
)
def test_what_is_of_the_wrong_type_is_refused_by_name(query: str, client: Client):
    answer = client.get(f"/v1/analytics/spikes?{query}")

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"{query.partition('=')[0]}: ")


def test_the_threshold_can_be_asked_for(client: Client, shop: NewProject):
    tell(shop.project, "Burst", {3: 10})

    assert len(get(client, "spikes?hours=10&threshold=2.84")["spikes"]) == 1
    assert get(client, "spikes?hours=10&threshold=2.85") == {"spikes": [], "threshold": 2.85, "window_hours": 10}


def test_the_threshold_of_the_configuration_holds_for_the_classic_method(
    client: Client, shop: NewProject, settings: Any
):
    change(settings, zscore_threshold=2.9)
    tell(shop.project, "Burst", {3: 10})

    assert get(client, "spikes?hours=10") == {"spikes": [], "threshold": 2.9, "window_hours": 10}


def test_the_seasonal_method_tells_the_same_keys(client: Client, shop: NewProject):
    tell(shop.project, "Burst", {0: 30, **dict.fromkeys(range(1, 100), 1)})

    found = get(client, "spikes?hours=24&method=seasonal")

    assert [list(each) for each in found["spikes"]] == [SPIKE_KEYS]
    assert (found["spikes"][0]["count"], found["threshold"]) == (30, 4.0)
    assert found["spikes"][0]["zscore"] >= 4


def test_the_environment_narrows_what_is_counted(client: Client, shop: NewProject):
    tell(shop.project, "a", {1: 2})
    tell(shop.project, "a", {1: 3}, environment="staging")

    assert get(client, "movers?environment=staging")["movers"][0]["count_current"] == 3
    assert get(client, "movers?environment=nowhere")["movers"] == []


# --- Who may ask, and about what --------------------------------------------------------------------------------------


def test_a_token_asks_about_its_project_whatever_it_names(client: Client, shop: NewProject, other: NewProject):
    """Contract 0.4, rule 3."""
    tell(other.project, "Foreign", {1: 2})
    tell(shop.project, "Own", {1: 2})

    found = get(client, f"movers?project_id={other.project.pk}")

    assert [each["fingerprint"] for each in found["movers"]] == ["Own"]


def test_all_queries_respect_the_active_project_filter(member_client: Client, shop: NewProject, other: NewProject):
    """Seed, Insights Panel: "All queries respect the active project filter"."""
    tell_everything(shop.project)
    tell(other.project, "Foreign", {1: 2, 30: 1})

    for path in ENDPOINTS:
        everything, own = (
            get(member_client, f"{path}?hours=24"),
            get(member_client, f"{path}?project_id={shop.project.pk}&hours=24"),
        )
        assert everything == own
        assert "Foreign" not in json.dumps(everything)
        assert next(iter(get(member_client, f"{path}?project_id={other.project.pk}").values())) == []


def test_a_token_without_the_scope_is_told_which_one_it_lacks(shop: NewProject):
    token = make_token(shop.project, scopes=("llm:read", "alerts:read"))

    answer = Client(headers={"Authorization": f"Bearer {token.secret}"}).get("/v1/analytics/spikes")

    assert (answer.status_code, answer.json()) == (403, {"error": "token lacks required scope: analytics:read"})


def change(settings: Any, **fields: Any) -> None:
    """Configure the section otherwise."""
    section = settings.BLOOP.analytics.model_copy(update=fields)
    settings.BLOOP = settings.BLOOP.model_copy(update={"analytics": section})


@pytest.mark.parametrize("path", ENDPOINTS)
def test_while_insights_are_off_the_endpoints_do_not_exist_whoever_asks(
    path: str, client: Client, admin_client: Client, settings: Any
):
    change(settings, enabled=False)

    for caller in (client, admin_client, Client(), Client(headers={"Authorization": "Bearer wrong"})):
        answer = caller.get(f"/v1/analytics/{path}")
        assert (answer.status_code, answer.json()) == (404, {"error": "not found"})


def test_the_probe_for_the_insights_button_is_200_only_when_enabled(settings: Any):
    """Seed: "the dashboard probes /v1/analytics/spikes on load and only shows the button if it gets a 200 response"."""
    browser = Client()
    browser.force_login(make_user())

    assert browser.get("/v1/analytics/spikes?limit=1").status_code == 200
    change(settings, enabled=False)
    assert browser.get("/v1/analytics/spikes?limit=1").status_code == 404


def test_head_and_other_methods_are_answered_as_everywhere(client: Client):
    head = client.head("/v1/analytics/movers")
    post = client.post("/v1/analytics/movers")

    assert (head.status_code, head.content) == (200, b"")
    assert (post.status_code, post["Allow"]) == (405, "GET, HEAD, OPTIONS")
