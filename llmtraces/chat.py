"""Messages of a conversation in a span's text, whichever provider's shape they have. Pure.

Known: a list of {role, content} or {role, parts} (OpenTelemetry's); an object with `messages` (OpenAI, Anthropic, with
its `system`), `contents` (Gemini) or `input` (OpenAI's Responses); a reply of OpenAI (`choices`, `output`), Gemini
(`candidates`) or Anthropic ({role, content}); contents as text or as blocks (text, images, tool calls and results).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

MAX_MESSAGES = 200
MAX_PARTS = 50
MAX_CHARACTERS = 20_000  # of one part; the raw text has the rest
TEXTS = ("text", "input_text", "output_text")
ROLES = ("system", "developer", "user", "assistant", "tool", "function", "model")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a message. kind: "text", "call" and "result" of a tool (its name in `label`), or "other"."""

    kind: Literal["text", "call", "result", "other"]
    text: str
    label: str = ""
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """One message. tone: the role if it is a known one, else "other"."""

    role: str
    parts: tuple[Part, ...]

    @property
    def tone(self) -> str:
        return self.role if self.role in ROLES else "other"


def value_of(text: str) -> Any:
    """The object or list that a text is; None for anything else, also for what is nested too deeply to read."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def messages_of(value: Any) -> list[Message] | None:
    """The conversation in a decoded text, at most 200 messages; None when it is none."""
    raw = list(raw_messages(value))
    if not raw or not all(is_message(each) for each in raw):
        return None
    return [message_of(each) for each in raw[:MAX_MESSAGES]]


def raw_messages(value: Any) -> Iterator[Any]:
    """What may be messages, in their order."""
    if isinstance(value, list):
        yield from map(item, value)
    elif isinstance(value, dict):
        lists = [name for name in ("messages", "contents", "choices", "candidates", "input", "output") if name in value]
        name = next((each for each in lists if isinstance(value[each], list)), None)
        if name is None or "role" in value:
            yield value
            return
        system = next(
            (value[each] for each in ("system", "systemInstruction", "instructions") if value.get(each)), None
        )
        if system:
            yield {"role": "system", **(system if isinstance(system, dict) else {"content": system})}
        for each in value[name]:
            if name in ("choices", "candidates") and isinstance(each, dict):
                yield each.get("message", each.get("content"))
            elif name == "contents" and isinstance(each, dict):
                yield {"role": "user", **each}  # Gemini: who is not said is the user
            else:
                yield item(each)


def item(raw: Any) -> Any:
    """A message as it is; an item of OpenAI's Responses that has no role as the message it stands for."""
    if not isinstance(raw, dict) or "role" in raw:
        return raw
    kind = raw.get("type")
    if kind == "function_call":
        return {"role": "assistant", "tool_calls": [{"function": raw}]}
    if kind == "function_call_output":
        return {"role": "tool", "content": raw.get("output")}
    if kind == "reasoning":
        return {"role": "assistant", "content": [{"type": kind, "content": text_in(raw.get("summary"))}]}
    return raw


def is_message(raw: Any) -> bool:
    """Whether it has a role and something to say."""
    if not isinstance(raw, dict) or not isinstance(raw.get("role"), str):
        return False
    return any(name in raw for name in ("content", "parts", "tool_calls", "function_call", "refusal"))


def message_of(raw: dict[str, Any]) -> Message:
    """A message in our words."""
    parts = [part for part in parts_in(raw) if part.text or part.label]
    return Message(raw["role"], tuple(parts[:MAX_PARTS]))


def parts_in(raw: dict[str, Any]) -> Iterator[Part]:
    """Its contents, then its calls."""
    content = raw.get("content", raw.get("parts"))
    is_result = raw["role"] in ("tool", "function")
    for block in content if isinstance(content, list) else [content]:
        yield (
            part("result", block, str(raw.get("name") or ""))
            if is_result and isinstance(block, str)
            else part_of(block)
        )
    if raw.get("refusal"):
        yield part("other", raw["refusal"], "refusal")
    calls = raw.get("tool_calls")
    for call in [*(calls if isinstance(calls, list) else []), {"function": raw.get("function_call")}]:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            yield part("call", function.get("arguments"), str(function.get("name") or ""))


def part_of(block: Any) -> Part:
    """A block of a content: a text, the typed blocks of providers and of OpenTelemetry, or whatever it is as JSON."""
    if not isinstance(block, dict):
        return part("text", block)
    kind = block.get("type", "text")
    said = block.get("text", block.get("content"))
    if kind in TEXTS and isinstance(said, str):
        return part("text", said)
    if kind in ("tool_use", "tool_call"):
        return part("call", block.get("input", block.get("arguments")), str(block.get("name") or ""))
    if kind in ("tool_result", "tool_call_response"):
        return part("result", text_in(block.get("content", block.get("response", block.get("result")))), "")
    if kind in ("thinking", "reasoning"):
        return part("other", block.get("thinking", said), "thinking")
    for call, result in (("functionCall", "functionResponse"), ("function_call", "function_response")):
        if isinstance(block.get(call), dict):
            return part("call", block[call].get("args"), str(block[call].get("name") or ""))
        if isinstance(block.get(result), dict):
            return part("result", block[result].get("response"), str(block[result].get("name") or ""))
    return part("other", block, kind if isinstance(kind, str) else "")


def text_in(content: Any) -> Any:
    """The text of a list of text blocks; anything else as it is."""
    if isinstance(content, list) and all(isinstance(each, dict) and "text" in each for each in content):
        return "\n".join(str(each["text"]) for each in content)
    return content


def part(kind: Literal["text", "call", "result", "other"], value: Any, label: str = "") -> Part:
    """A piece with at most 20,000 characters; what is no text is shown as JSON."""
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return Part(kind, text[:MAX_CHARACTERS], label, is_cut=len(text) > MAX_CHARACTERS)
