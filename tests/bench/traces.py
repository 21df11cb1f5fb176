"""Believable traces for the bench: five spans each, texts of varied words, no two alike."""

import json
import random
from itertools import accumulate
from typing import Any

VOCABULARY = 4_000
WORDS = [f"{head}{tail}{number}" for number, (head, tail) in enumerate([("no", "un")] * VOCABULARY)]
WEIGHTS = list(accumulate(1 / (rank + 10) for rank in range(VOCABULARY)))
MODELS = (("gpt-4o", "openai"), ("gpt-4o-mini", "openai"), ("claude-sonnet-4-5", "anthropic"), ("qwen-local", "vllm"))
OLD_MODEL, OLD_PROVIDER = "gpt-3.5-turbo", "azure"  # of a third of the oldest traces a bench is filled with
TOOLS = ("web_search", "order_lookup", "calculator", "calendar")
COMMON_WORD, SPANS = WORDS[0], 5


def rare_word(number: int) -> str:
    """A word that only this trace has."""
    return f"ref{number}x"


def words(rng: random.Random, characters: int) -> str:
    """About so many characters of text, few words in most of it."""
    return " ".join(rng.choices(WORDS, cum_weights=WEIGHTS, k=max(1, characters // 7)))


def trace(number: int, rng: random.Random, *, at_ms: int, characters: int) -> dict[str, Any]:
    """A turn of an agent, as a client posts it. characters: of text a span, half of it what went in."""
    model, provider = rng.choice(MODELS)
    took = rng.randrange(200, 6_000)
    root: dict[str, Any] = {"id": "s0", "span_type": "custom", "name": "agent.run", "latency_ms": took}
    rag = {"rag.source": f"base-{number % 5}", "rag.chunks_retrieved": 6, "rag.chunks_used": 3, "rag.top_k": 6}
    retrieval = {"span_type": "retrieval", "name": "kb.search", "latency_ms": took // 9, "metadata": rag}
    plan = {"span_type": "generation", "name": "plan", "model": "gpt-4o-mini", "provider": "openai"}
    tool = {"span_type": "tool", "name": rng.choice(TOOLS), "latency_ms": took // 5}
    answer = {"span_type": "generation", "name": "answer", "model": model, "provider": provider}
    spans = [root, retrieval, plan, tool, answer]
    for index, span in enumerate(spans):
        span |= {"started_at": at_ms + 10 * index, "input": words(rng, characters // 2)}
        span["output"] = words(rng, characters // 2)
        if index:
            span |= {"id": f"s{index}", "parent_span_id": "s0"}
        if span["span_type"] == "generation":
            span |= {"input_tokens": rng.randrange(200, 5_000), "output_tokens": rng.randrange(10, 900)}
            span |= {"latency_ms": took // 2, "time_to_first_token_ms": took // 8}
    failed = rng.random() < 0.03
    if failed:
        answer |= {"status": "error", "error_message": f"Rate limit reached for {model}, request {number}"}
    return {
        "id": f"{rng.getrandbits(128):032x}",
        "name": ("support-chat", "invoice-intake", "mail-triage")[number % 3],
        "session_id": f"chat-{number // 4}",
        "user_id": f"user-{number % 997}",
        "prompt_name": f"prompt-{number % 12}",
        "prompt_version": str(1 + number % 3),
        "status": "error" if failed else "completed",
        "input": f"{rare_word(number)} {words(rng, 60)}",
        "started_at": at_ms,
        "ended_at": at_ms + took,
        "spans": spans,
    }


def batch_of_traces(rng: random.Random, number: int, *, size: int, at_ms: int) -> bytes:
    """The body of a batch of traces with 1.5 KB of text a span."""
    made = [trace(number * size + each, rng, at_ms=at_ms, characters=1_500) for each in range(size)]
    return json.dumps({"traces": made}).encode()
