"""Conversations in texts, in the shapes that providers and OpenTelemetry give them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtraces.chat import messages_of

Said = list[tuple[str, list[tuple[str, str, str]]]]
ASKED = ("user", [("text", "", "Weather in Paris?")])
CALLED = [("call", "weather", '{"city": "Paris"}')]
CALL_JSON = [("call", "weather", '{\n  "city": "Paris"\n}')]
OPENAI_CALL = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}


def said_in(value: Any) -> Said | None:
    """Who said what: role, then kind, label and text of each part."""
    messages = messages_of(value)
    if messages is None:
        return None
    return [(each.role, [(part.kind, part.label, part.text) for part in each.parts]) for each in messages]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param([{"role": "user", "content": "Weather in Paris?"}], [ASKED], id="a list"),
        pytest.param(
            {"model": "gpt-4o", "messages": [{"role": "assistant", "content": None, "tool_calls": [OPENAI_CALL]}]},
            [("assistant", CALLED)],
            id="OpenAI, asked",
        ),
        pytest.param(
            {"choices": [{"message": {"role": "assistant", "content": "Sunny."}, "finish_reason": "stop"}]},
            [("assistant", [("text", "", "Sunny.")])],
            id="OpenAI, answered",
        ),
        pytest.param(
            [{"role": "tool", "content": "22 C", "tool_call_id": "1"}],
            [("tool", [("result", "", "22 C")])],
            id="OpenAI, a tool",
        ),
        pytest.param(
            {
                "instructions": "Be brief.",
                "input": [
                    {"role": "user", "content": [{"type": "input_text", "text": "Weather in Paris?"}]},
                    {"type": "function_call", "name": "weather", "arguments": '{"city": "Paris"}', "call_id": "1"},
                    {"type": "function_call_output", "call_id": "1", "output": "22 C"},
                ],
            },
            [("system", [("text", "", "Be brief.")]), ASKED, ("assistant", CALLED), ("tool", [("result", "", "22 C")])],
            id="OpenAI's Responses, asked",
        ),
        pytest.param(
            {
                "id": "resp_1",
                "output": [
                    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
                    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Sunny."}]},
                ],
            },
            [("assistant", [("other", "thinking", "Hm.")]), ("assistant", [("text", "", "Sunny.")])],
            id="OpenAI's Responses, answered",
        ),
        pytest.param(
            {"system": "Be brief.", "messages": [{"role": "user", "content": "Weather in Paris?"}]},
            [("system", [("text", "", "Be brief.")]), ASKED],
            id="Anthropic, asked",
        ),
        pytest.param(
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm."},
                    {"type": "tool_use", "id": "1", "name": "weather", "input": {"city": "Paris"}},
                ],
            },
            [("assistant", [("other", "thinking", "Hm."), *CALL_JSON])],
            id="Anthropic, answered",
        ),
        pytest.param(
            [{"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": "22 C"}]}]}],
            [("user", [("result", "", "22 C")])],
            id="Anthropic, a tool",
        ),
        pytest.param(
            {
                "systemInstruction": {"parts": [{"text": "Be brief."}]},
                "contents": [
                    {"parts": [{"text": "Weather in Paris?"}]},
                    {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": {"city": "Paris"}}}]},
                    {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {"c": 22}}}]},
                ],
            },
            [
                ("system", [("text", "", "Be brief.")]),
                ASKED,
                ("model", CALL_JSON),
                ("user", [("result", "weather", '{\n  "c": 22\n}')]),
            ],
            id="Gemini, asked",
        ),
        pytest.param(
            {"candidates": [{"content": {"role": "model", "parts": [{"text": "Sunny."}]}, "finishReason": "STOP"}]},
            [("model", [("text", "", "Sunny.")])],
            id="Gemini, answered",
        ),
        pytest.param(
            [
                {"role": "user", "parts": [{"type": "text", "content": "Weather in Paris?"}]},
                {
                    "role": "assistant",
                    "parts": [{"type": "tool_call", "id": "1", "name": "weather", "arguments": {"city": "Paris"}}],
                },
                {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "response": "22 C"}]},
            ],
            [ASKED, ("assistant", CALL_JSON), ("tool", [("result", "", "22 C")])],
            id="OpenTelemetry",
        ),
        pytest.param({"input": ["a", "b"], "model": "embed"}, None, id="no conversation: texts to embed"),
        pytest.param({"output": [1, 2]}, None, id="no conversation: numbers"),
        pytest.param([{"role": "user", "content": "hi"}, {"x": 1}], None, id="one that is no message"),
        pytest.param([], None, id="nothing"),
    ],
)
def test_a_conversation_is_read_in_the_shape_its_provider_gave_it(value: Any, said: Said | None):
    assert said_in(value) == said


KEYS = st.sampled_from(
    ["role", "content", "parts", "messages", "contents", "choices", "candidates", "input", "output", "type", "text"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["user", "text", "tool_call", "function_call", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_nothing_that_almost_is_one_breaks_it(value: Any):
    messages = messages_of(value)

    assert messages is None or all(isinstance(each.role, str) for each in messages)
