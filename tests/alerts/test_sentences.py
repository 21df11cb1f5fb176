"""What rules say in plain words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.configs import parse_config
from alerts.sentences import last_words, number_words, sentence_of, span_words, tell_words

HOUR = 3600
SPIKE = {"type": "spike", "multiplier": 3, "baseline_window_secs": HOUR, "compare_window_secs": 300}
LATENCY = {"type": "llm_latency", "percentile": "95", "threshold_ms": 2500, "window_secs": 900}
SENTENCES: list[tuple[dict[str, Any], dict[str, str], str]] = [
    ({"type": "new_issue"}, {}, "When an error is seen for the first time or comes back after it was resolved"),
    (
        {"type": "new_issue", "environment": "production"},
        {"source": "api"},
        "When an error is seen for the first time in production or comes back after it was resolved, sent by api",
    ),
    (
        {"type": "threshold", "threshold": 100, "window_secs": 300},
        {"environment": "production"},
        "When errors happen more than 100 times in 5 minutes in production",
    ),
    (
        {"type": "threshold", "threshold": 1500, "window_secs": HOUR, "fingerprint": "0123456789abcdef", "route": "/x"},
        {},
        "When the error 0123456789ab… on /x happens more than 1,500 times in 1 hour",
    ),
    (SPIKE, {}, "When errors come more than 3 times as fast in the last 5 minutes as in the hour before"),
    (
        {**SPIKE, "multiplier": 2.5, "baseline_window_secs": 2 * HOUR},
        {},
        "When errors come more than 2.5 times as fast in the last 5 minutes as in the 2 hours before",
    ),
    ({**SPIKE, "method": "seasonal"}, {}, "When an error happens unusually often for this hour of the week"),
    (
        {"type": "llm_cost_spike", "threshold_dollars": 12.5, "window_secs": HOUR, "model_filter": "gpt-4o"},
        {},
        "When LLM calls to gpt-4o cost more than $12.5 in 1 hour",
    ),
    (
        {"type": "llm_error_rate", "threshold_percent": 10, "min_traces": 20, "window_secs": HOUR},
        {},
        "When more than 10\u00a0% of LLM calls fail in 1 hour, of at least 20",
    ),
    (LATENCY, {}, "When the p95 latency of LLM calls is above 2.5\u00a0s in 15 minutes"),
    (
        {"type": "llm_budget"},
        {},
        "When a project has used as much of its monthly LLM budget as it set itself to be warned at",
    ),
]


@pytest.mark.parametrize(("raw", "filters", "words"), SENTENCES)
def test_a_rule_reads_as_a_sentence(raw: dict[str, Any], filters: dict[str, str], words: str):
    assert sentence_of(parse_config(raw), **filters) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (45, "45 seconds"),
        (60, "1 minute"),
        (90, "90 seconds"),
        (300, "5 minutes"),
        (HOUR, "1 hour"),
        (5400, "90 minutes"),
        (86_400, "1 day"),
        (129_600, "36 hours"),
        (604_800, "7 days"),
        (0, "0 seconds"),
    ],
)
def test_a_window_is_told_in_the_largest_unit_that_says_it_exactly(seconds: int, words: str):
    assert span_words(seconds) == words


@given(st.integers(0, 10_000_000))
def test_no_second_is_lost_in_words(seconds: int):
    number, unit = span_words(seconds).replace(",", "").split()
    sizes = {"second": 1, "minute": 60, "hour": HOUR, "day": 86_400}

    assert int(number) * sizes[unit.removesuffix("s")] == seconds


def test_one_unit_behind_the_last_has_no_number():
    assert (last_words(HOUR), last_words(300)) == ("hour", "5 minutes")


@pytest.mark.parametrize(
    ("value", "words"), [(3, "3"), (2.50, "2.5"), (1500, "1,500"), (0.001, "0.001"), (0, "0"), (10.0, "10")]
)
def test_a_number_has_no_zeros_at_its_end(value: float, words: str):
    assert number_words(value) == words


@pytest.mark.parametrize(
    ("targets", "hooks", "words"),
    [
        ([], [], "tell nobody yet"),
        ([], ["Slack"], "tell the server’s own Slack"),
        (["Slack #ops"], ["Slack"], "tell Slack #ops"),
        (["Slack #ops", "ann@example.com"], [], "tell Slack #ops and ann@example.com"),
        (["a", "b", "c", "d"], [], "tell a, b and 2 more"),
    ],
)
def test_a_sentence_ends_with_whom_it_tells(targets: list[str], hooks: list[str], words: str):
    assert tell_words(targets, hooks=hooks) == words
