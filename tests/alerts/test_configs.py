"""What a config may say: tables of what is taken and refused, and whatever else Hypothesis thinks of."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import configs
from alerts.configs import ConfigInvalid, config_of_flat, parse_config, percentile_of, stored

WEEK = configs.MAX_WINDOW_SECS

# A config as it comes in, and as it is kept: all keys of its type.
TAKEN: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "new_issue"}, {"type": "new_issue", "environment": None}),
    ({"type": "new_issue", "environment": " production "}, {"type": "new_issue", "environment": "production"}),
    ({"type": "error_new", "unknown": [1]}, {"type": "new_issue", "environment": None}),
    (
        {"type": "threshold", "threshold": 100, "window_secs": 300},
        {"type": "threshold", "threshold": 100, "window_secs": 300, "fingerprint": None, "route": None},
    ),
    (
        {"type": "threshold", "threshold": 5.0, "window_secs": 60, "fingerprint": "ab", "route": "/x"},
        {"type": "threshold", "threshold": 5, "window_secs": 60, "fingerprint": "ab", "route": "/x"},
    ),
    (
        {"type": "spike", "multiplier": 3, "baseline_window_secs": 3600, "compare_window_secs": 300},
        {
            "type": "spike",
            "multiplier": 3.0,
            "baseline_window_secs": 3600,
            "compare_window_secs": 300,
            "method": "rate",
        },
    ),
    (
        {
            "type": "error_spike",
            "multiplier": 2.5,
            "baseline_window_secs": WEEK - 60,
            "compare_window_secs": 60,
            "method": "seasonal",
        },
        {
            "type": "spike",
            "multiplier": 2.5,
            "baseline_window_secs": WEEK - 60,
            "compare_window_secs": 60,
            "method": "seasonal",
        },
    ),
    (
        {"type": "llm_cost_spike", "threshold_dollars": 10, "window_secs": 3600, "model_filter": ""},
        {"type": "llm_cost_spike", "threshold_dollars": 10.0, "window_secs": 3600, "model_filter": None},
    ),
    (
        {"type": "llm_error_rate", "threshold_percent": 12.5, "min_traces": 10, "window_secs": 3600},
        {"type": "llm_error_rate", "threshold_percent": 12.5, "min_traces": 10, "window_secs": 3600},
    ),
    (
        {"type": "llm_latency", "percentile": "p95", "threshold_ms": 2000, "window_secs": 300},
        {
            "type": "llm_latency",
            "percentile": "p95",
            "threshold_ms": 2000,
            "window_secs": 300,
            "model_filter": None,
        },
    ),
    (
        {"type": "llm_latency", "percentile": 90, "threshold_ms": 1, "window_secs": 1, "model_filter": "gpt-4o"},
        {"type": "llm_latency", "percentile": "90", "threshold_ms": 1, "window_secs": 1, "model_filter": "gpt-4o"},
    ),
    ({"type": "llm_budget", "threshold": 3}, {"type": "llm_budget"}),
]
THRESHOLD: dict[str, Any] = {"type": "threshold", "threshold": 100, "window_secs": 300}
SPIKE: dict[str, Any] = {"type": "spike", "multiplier": 3, "baseline_window_secs": 60, "compare_window_secs": 60}
LATENCY: dict[str, Any] = {"type": "llm_latency", "percentile": "p9", "threshold_ms": 1, "window_secs": 1}
REFUSED: list[tuple[Any, str]] = [
    (None, "config must be an object"),
    ([], "config must be an object"),
    ({}, "config.type is required"),
    ({"type": None}, "config.type is required"),
    ({"type": 7}, "config.type is required"),
    ({"type": "mover"}, "unknown rule type: mover"),
    ({"type": "x" * 100}, f"unknown rule type: {'x' * 64}"),
    ({"type": "threshold", "window_secs": 60}, "config.threshold is required"),
    ({**THRESHOLD, "threshold": "100"}, "config.threshold must be a whole number"),
    ({**THRESHOLD, "threshold": 1.5}, "config.threshold must be a whole number"),
    ({**THRESHOLD, "threshold": True}, "config.threshold must be a whole number"),
    ({**THRESHOLD, "threshold": -1}, "config.threshold must be from 0 to 1000000000"),
    ({**THRESHOLD, "window_secs": 0}, f"config.window_secs must be from 1 to {WEEK}"),
    ({**THRESHOLD, "window_secs": WEEK + 1}, f"config.window_secs must be from 1 to {WEEK}"),
    ({**THRESHOLD, "route": 7}, "config.route must be a string"),
    ({**THRESHOLD, "route": "x" * 513}, "config.route must be at most 512 characters, none of them NUL"),
    ({**THRESHOLD, "fingerprint": "a\0b"}, "config.fingerprint must be at most 512 characters, none of them NUL"),
    ({**THRESHOLD, "route": "a\ud800"}, "config.route must be at most 512 characters, none of them NUL"),
    ({"type": "\ud800"}, "unknown rule type: ?"),
    ({**LATENCY, "percentile": "p\0"}, "config.percentile must be a string such as p99"),
    ({**SPIKE, "multiplier": "3"}, "config.multiplier must be a number"),
    ({**SPIKE, "multiplier": float("nan")}, "config.multiplier must be a number"),
    ({**SPIKE, "multiplier": float("inf")}, "config.multiplier must be a number"),
    ({**SPIKE, "multiplier": 10**400}, "config.multiplier must be from 0 to 1e+09"),
    ({**SPIKE, "multiplier": -1}, "config.multiplier must be from 0 to 1e+09"),
    ({**SPIKE, "method": "guess"}, "config.method must be one of rate, seasonal"),
    ({**SPIKE, "baseline_window_secs": WEEK}, f"config: both windows together must be at most {WEEK} seconds"),
    ({"type": "llm_cost_spike", "window_secs": 60}, "config.threshold_dollars is required"),
    (
        {"type": "llm_error_rate", "threshold_percent": 101, "min_traces": 1, "window_secs": 1},
        "config.threshold_percent must be from 0 to 100",
    ),
    ({**LATENCY, "percentile": 10**400}, "config.percentile must be from 0 to 100"),
    ({**LATENCY, "percentile": float("inf")}, "config.percentile must be a number"),
    ({**LATENCY, "percentile": ["p99"]}, "config.percentile must be a string such as p99"),
    ({**LATENCY, "percentile": "p" * 17}, "config.percentile must be a string such as p99"),
    ({**LATENCY, "window_secs": configs.MAX_LLM_WINDOW_SECS + 1}, "config.window_secs must be from 1 to 2592000"),
]
# The flat form, and the config it means.
FLAT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"rule_type": "new_issue", "name": "n"}, {"type": "new_issue"}),
    ({"rule_type": "error_new", "environment": "qa"}, {"type": "new_issue", "environment": "qa"}),
    (
        {"rule_type": "threshold", "threshold": 9, "window_secs": 60, "name": "n", "project_id": "p"},
        {"type": "threshold", "threshold": 9, "window_secs": 60},
    ),
    (
        {"rule_type": "llm_cost_spike", "threshold_dollars": 1.5, "window_hours": 2, "model": "gpt-4o"},
        {"type": "llm_cost_spike", "threshold_dollars": 1.5, "window_secs": 7200, "model_filter": "gpt-4o"},
    ),
    (
        {"rule_type": "llm_cost_spike", "threshold_dollars": 1, "window_hours": 2, "window_secs": 60},
        {"type": "llm_cost_spike", "threshold_dollars": 1, "window_secs": 60},
    ),
    (
        {"rule_type": "llm_latency", "threshold_ms": 10, "window_hours": 0.5},
        {"type": "llm_latency", "percentile": "p90", "threshold_ms": 10, "window_secs": 1800},
    ),
    (
        {"rule_type": "llm_latency", "threshold_ms": 10, "window_secs": 60, "percentile": "p50"},
        {"type": "llm_latency", "percentile": "p50", "threshold_ms": 10, "window_secs": 60},
    ),
    (
        {"rule_type": "llm_error_rate", "threshold_percent": 5, "window_secs": 60},
        {"type": "llm_error_rate", "min_traces": 10, "threshold_percent": 5, "window_secs": 60},
    ),
    ({"rule_type": "llm_budget"}, {"type": "llm_budget"}),
]


@pytest.mark.parametrize(("raw", "kept"), TAKEN)
def test_a_config_is_kept_with_all_keys_of_its_type(raw: dict[str, Any], kept: dict[str, Any]):
    assert stored(parse_config(raw)) == kept


@pytest.mark.parametrize("kept", [kept for _, kept in TAKEN])
def test_what_is_kept_reads_as_itself(kept: dict[str, Any]):
    assert stored(parse_config(kept)) == kept


@pytest.mark.parametrize(("raw", "words"), REFUSED)
def test_a_wrong_config_is_refused_by_the_name_of_what_is_wrong(raw: Any, words: str):
    with pytest.raises(ConfigInvalid) as refused:
        parse_config(raw)

    assert str(refused.value) == words


@pytest.mark.parametrize(("body", "config"), FLAT)
def test_the_flat_form_means_a_config(body: dict[str, Any], config: dict[str, Any]):
    assert config_of_flat(body) == config
    parse_config(config)


@pytest.mark.parametrize("body", [{}, {"rule_type": None}, {"rule_type": 7}, {"rule_type": "nobody's"}])
def test_a_flat_form_without_a_known_type_is_no_config(body: dict[str, Any]):
    with pytest.raises(ConfigInvalid):
        parse_config(config_of_flat(body))


@pytest.mark.parametrize(
    ("text", "number"),
    [("p99", 99), ("P95", 95), ("90", 90), (" p50 ", 50), ("p99.9", 99.9), ("", 99), ("best", 99), ("p101", 99)],
)
def test_a_percentile_is_the_number_behind_its_letter(text: str, number: float):
    assert percentile_of(text) == number


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
KEYS = sorted({key for _, kept in TAKEN for key in kept} - {"type"})


@given(
    kind=st.sampled_from([*configs.READERS, *configs.ALIASES]) | st.text(max_size=8),
    values=st.dictionaries(st.sampled_from([*KEYS, "window_hours", "model"]), anything | st.integers(1, 900)),
)
def test_whatever_comes_is_a_config_or_refused_and_what_is_kept_survives_json(kind: str, values: dict[str, Any]):
    for raw in ({"type": kind, **values}, config_of_flat({"rule_type": kind, **values})):
        try:
            config = parse_config(raw)
        except ConfigInvalid as refused:
            assert str(refused)  # noqa: PT017  either way is right
            continue
        kept = stored(config)
        assert json.loads(json.dumps(kept, allow_nan=False)) == kept
        json.dumps(kept, ensure_ascii=False).encode()  # a database takes it
        assert parse_config(kept) == config
