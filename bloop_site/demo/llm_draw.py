"""Draws the demo's traces as clients would post them: a support agent, a document pipeline, small jobs, one giant."""

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bloop_site.demo.llm_catalogue import (
    CHUNKS,
    OVERLOADED,
    RATE_LIMIT,
    SUPPLIERS,
    SUPPORT_PROMPT,
    TERMS,
    TIMEOUT,
    UNREADABLE,
    Talk,
    Turn,
)

GIANT_SPANS = 2_000
EMBEDDING_DOLLARS = 0.02 / 1_000_000  # a token: the client says this cost itself
OPENAI, ANTHROPIC, LOCAL = "openai", "anthropic", "vllm"


@dataclass
class Drawing:
    """A trace in the making: `at` is the cursor, where the next step begins."""

    chance: Random
    fields: dict[str, Any]
    at: int
    spans: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fields |= {"id": f"{self.chance.getrandbits(128):032x}", "started_at": self.at}

    def span(self, kind: str, name: str, took: int, *, under: str | None = None, **more: Any) -> str:
        """Add a span from the cursor on and move the cursor to its end; more: the contract's fields. Returns its id."""
        span_id = f"{self.chance.getrandbits(64):016x}"
        times = {"started_at": self.at, "ended_at": self.at + took, "latency_ms": took}
        self.spans.append({"id": span_id, "parent_span_id": under, "span_type": kind, "name": name, **times, **more})
        self.at += took
        return span_id

    def opened(self, name: str, *, under: str | None = None, **more: Any) -> str:
        """Add a step that holds others: `close` gives it its end. Returns its id."""
        return self.span("custom", name, 0, under=under, **more)

    def close(self, span_id: str) -> None:
        """End a step at the cursor."""
        step = next(each for each in self.spans if each["id"] == span_id)
        step |= {"ended_at": self.at, "latency_ms": self.at - step["started_at"]}

    def done(self, **more: Any) -> dict[str, Any]:
        """The trace, ended at the cursor."""
        return {"status": "completed", **self.fields, "ended_at": self.at, **more, "spans": self.spans}

    def between(self, low: int, high: int) -> int:
        """Mostly near `low`, seldom near `high`: as latencies are."""
        return int(low + (high - low) * self.chance.betavariate(1.4, 4.5))


def text(value: Any) -> str:
    """JSON as a client writes it."""
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True)
class Version:
    """A version of the prompt `support-answer`: how its answers are made, and how often that fails."""

    name: str
    model: str
    chunks: int
    failing: float
    tokens: tuple[int, int]


VERSIONS = {
    "1": Version("1", "gpt-4o", 12, 0.09, (3_900, 5_800)),
    "2": Version("2", "gpt-4o", 6, 0.045, (1_900, 3_200)),
    "3": Version("3", "gpt-4o-mini", 5, 0.015, (1_500, 2_700)),
}


def version_at(days_ago: float, chance: Random) -> Version:
    """Version 1, from eight days ago 2, from three days ago 3; each replaces the one before within a day."""
    newest = 1 + (days_ago < 8) + (days_ago < 3)
    fresh = (7 < days_ago < 8) or (2 < days_ago < 3)
    return VERSIONS[str(newest - 1 if fresh and chance.random() < 0.5 else newest)]


def support(talk: Talk, number: int, version: Version, *, at: int, chance: Random, who: dict[str, str]) -> Drawing:
    """A turn of a support conversation, so far without its end. who: session_id and user_id."""
    turn = talk.turns[number]
    said = [
        {"role": role, "content": words}
        for each in talk.turns[:number]
        for role, words in (("user", each.question), ("assistant", each.answer))
    ]
    messages = [{"role": "system", "content": SUPPORT_PROMPT}, *said, {"role": "user", "content": turn.question}]
    prompt = {"prompt_name": "support-answer", "prompt_version": version.name}
    drawing = Drawing(chance, {"name": "support-chat", **who, **prompt, "input": text(messages)}, at)
    drawing.fields["metadata"] = {"channel": chance.choice(("web", "web", "app")), "turn": number + 1}
    agent = drawing.opened("agent.run")
    retrieve(drawing, talk, turn, version, under=agent)
    if turn.tool:
        call_tool(drawing, turn, messages, under=agent)
    answered = answer(drawing, turn, version, messages, under=agent)
    drawing.close(agent)
    if not answered:
        drawing.fields["status"] = "error"
    else:
        drawing.fields["output"] = text({"role": "assistant", "content": turn.answer})
    return drawing


def retrieve(drawing: Drawing, talk: Talk, turn: Turn, version: Version, *, under: str) -> None:
    """The search for context: a retrieval with an embedding inside."""
    chance, tokens = drawing.chance, 12 + len(turn.question) // 4
    begun = drawing.at
    chunks = chance.sample(CHUNKS, k=min(len(CHUNKS), version.chunks))
    top = min(0.99, max(0.2, chance.gauss(0.83 if version.name == "3" else 0.74, 0.09)))
    scores = [round(top * 0.93**rank, 3) for rank in range(version.chunks)]
    used = chance.randint(1, max(1, version.chunks // 2 + (version.name == "3")))
    context = 130 * version.chunks + chance.randrange(200)
    retrieval = drawing.span(
        "retrieval",
        "kb.search",
        drawing.between(40, 420),
        under=under,
        input=turn.question,
        output=text([{"rank": rank, "text": chunk} for rank, chunk in enumerate(chunks)]),
        metadata={
            "rag.source": talk.source,
            "rag.query": turn.question,
            "rag.top_k": version.chunks,
            "rag.chunks_retrieved": version.chunks,
            "rag.chunks_used": used,
            "rag.context_tokens": context,
            "rag.max_context_tokens": 4_000 if version.name == "1" else 2_000,
            "rag.relevance_scores": scores,
        },
    )
    ended, drawing.at = drawing.at, begun
    embed(drawing, tokens, took=(ended - begun) // 2, under=retrieval)
    drawing.at = ended


def embed(drawing: Drawing, tokens: int, *, took: int, under: str | None = None) -> None:
    """An embedding; our price table does not have its model, so the client says the cost."""
    drawing.span(
        "embedding",
        "embed",
        took,
        under=under,
        model="text-embedding-3-small",
        provider=OPENAI,
        input_tokens=tokens,
        cost=max(tokens * EMBEDDING_DOLLARS, 0.000_001),
    )


def call_tool(drawing: Drawing, turn: Turn, messages: list[dict[str, str]], *, under: str) -> None:
    """The model asks for a tool, and the tool answers, unless it times out."""
    call = {"id": "call_1", "type": "function", "function": {"name": turn.tool, "arguments": turn.arguments}}
    drawing.span(
        "generation",
        "plan",
        drawing.between(280, 1_600),
        under=under,
        model="gpt-4o-mini",
        provider=OPENAI,
        input_tokens=drawing.between(500, 900),
        output_tokens=drawing.between(18, 60),
        input=text(messages),
        output=text({"role": "assistant", "content": None, "tool_calls": [call]}),
    )
    slow = turn.tool == "web_search" and drawing.chance.random() < 0.11
    took = 20_000 if slow else drawing.between(60, 900) if turn.tool == "order_lookup" else drawing.between(350, 4_000)
    outcome = {"status": "error", "error_message": TIMEOUT} if slow else {"output": turn.result}
    drawing.span("tool", turn.tool, took, under=under, input=turn.arguments, **outcome)


def answer(drawing: Drawing, turn: Turn, version: Version, messages: list[dict[str, str]], *, under: str) -> bool:
    """The answer's generation, tried again once after a rate limit. Returns whether there is one."""
    chance = drawing.chance
    fields = {"under": under, "model": version.model, "provider": OPENAI, "input": text(messages)}
    if chance.random() < version.failing:
        refused = {"status": "error", "error_message": RATE_LIMIT}
        drawing.span("generation", "answer", drawing.between(90, 400), **fields, **refused)
        drawing.at += 2_302  # as long as the provider said to wait
        if chance.random() < 0.6:
            drawing.span("generation", "answer (retry)", drawing.between(90, 400), **fields, **refused)
            return False
    tokens_in = drawing.between(*version.tokens) + 40 * len(messages)
    tokens_out = 30 + len(turn.answer) // 3 + chance.randrange(60)
    took = drawing.between(700, 5_000) if version.model == "gpt-4o" else drawing.between(450, 3_200)
    drawing.span(
        "generation",
        "answer",
        took,
        **fields,
        output=text({"role": "assistant", "content": turn.answer}),
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cached_tokens=1_024 if len(messages) > 2 and tokens_in > 1_500 else 0,
        time_to_first_token_ms=min(took, drawing.between(160, 1_100)),
        metadata={"temperature": 0.2, "finish_reason": "stop"},
    )
    return True


def invoice(*, at: int, chance: Random) -> Drawing:
    """A document through the pipeline: read, every page at once, put together, and checked if it is large."""
    supplier, pages = chance.choice(SUPPLIERS), chance.choice((1, 2, 2, 3, 3, 4, 6))
    number = f"RE-{chance.randrange(20_000, 99_999)}"
    document = {"file": f"{number}.pdf", "pages": pages, "supplier": supplier}
    fields = {"name": "invoice-intake", "user_id": "svc-mailroom", "input": text(document), "metadata": document}
    drawing = Drawing(chance, fields, at)
    root = drawing.opened("pipeline")
    reading = drawing.opened("read", under=root)
    if chance.random() < 0.03:
        broken = {"status": "error", "error_message": UNREADABLE}
        drawing.span("tool", "ocr", drawing.between(300, 900), under=reading, input=number, **broken)
        drawing.close(reading)
        drawing.close(root)
        drawing.fields["status"] = "error"
        return drawing
    drawing.span("tool", "ocr", drawing.between(400, 2_500) * pages, under=reading, input=number, output=page_text(1))
    drawing.close(reading)
    extraction = drawing.opened("extract pages", under=root)
    begun, latest = drawing.at, drawing.at
    for page in range(1, pages + 1):
        drawing.at = begun + 15 * page
        extract_page(drawing, page, supplier, under=extraction)
        latest = max(latest, drawing.at)
    drawing.at = latest
    drawing.close(extraction)
    total = f"{chance.randrange(90, 9_000)}.{chance.randrange(100):02}"
    merge(drawing, pages, {"invoice": number, "supplier": supplier, "total": total, "currency": "EUR"}, under=root)
    drawing.close(root)
    return drawing


def page_text(page: int) -> str:
    """What a page says: long, as contracts are."""
    return f"Page {page}\n\n" + "\n\n".join(f"§ {number} {TERMS}" for number in range(1, 7))


def claude(drawing: Drawing, name: str, model: str, took: int, *, under: str, **more: Any) -> str:
    """A generation by Anthropic."""
    return drawing.span("generation", name, took, under=under, model=model, provider=ANTHROPIC, **more)


def extract_page(drawing: Drawing, page: int, supplier: str, *, under: str) -> None:
    """One page: six levels deep, with a tool of the model's own."""
    chance = drawing.chance
    step = drawing.opened(f"page {page}", under=under)
    asked = [{"role": "user", "content": [{"type": "text", "text": page_text(page)}]}]
    fields = {"under": step, "input": text(asked)}
    if chance.random() < 0.02:
        overloaded = {"status": "error", "error_message": OVERLOADED}
        claude(drawing, "extract", "claude-haiku-4-5", drawing.between(80, 300), **fields, **overloaded)
        drawing.at += 1_000
    wanted = {"name": "record_lines", "input": {"supplier": supplier, "page": page, "lines": chance.randint(3, 19)}}
    took = drawing.between(1_100, 6_500)
    generation = claude(
        drawing,
        "extract",
        "claude-haiku-4-5",
        took,
        **fields,
        input_tokens=chance.randrange(6_500, 14_000),
        output_tokens=chance.randrange(350, 1_600),
        cached_tokens=4_096 if page > 1 else 0,
        cache_write_tokens=4_096 if page == 1 else 0,
        time_to_first_token_ms=drawing.between(250, 1_000),
        output=text([{"type": "text", "text": "Recording the lines."}, {"type": "tool_use", "id": "tu_1", **wanted}]),
    )
    tool = drawing.span("tool", "record_lines", drawing.between(20, 120), under=generation, input=text(wanted["input"]))
    check = drawing.opened("validate", under=tool)
    drawing.span("tool", "currency_convert", drawing.between(30, 400), under=check, output='{"rate":1.0834}')
    drawing.close(check)
    drawing.close(step)


def merge(drawing: Drawing, pages: int, result: dict[str, str], *, under: str) -> None:
    """Put the pages together, and have large documents read once more by the best model."""
    chance = drawing.chance
    asked = [{"role": "user", "content": [{"type": "text", "text": f"Merge {pages} pages. {TERMS}"}]}]
    answered = text([{"type": "text", "text": f"```json\n{json.dumps(result, ensure_ascii=False, indent=2)}\n```"}])
    sizes = {"input_tokens": 3_500 * pages + chance.randrange(2_000), "output_tokens": chance.randrange(600, 2_400)}
    texts = {"input": text(asked), "output": answered}
    first = {"time_to_first_token_ms": drawing.between(500, 1_800)}
    claude(
        drawing, "merge", "claude-sonnet-4-5", drawing.between(3_000, 15_000), under=under, **sizes, **texts, **first
    )
    if pages >= 4:
        thought = {"reasoning_tokens": sizes["output_tokens"] // 2}
        claude(
            drawing,
            "review",
            "claude-opus-4-1",
            drawing.between(9_000, 40_000),
            under=under,
            **sizes,
            **texts,
            **thought,
        )
    drawing.fields["output"] = text(result)


def index_products(*, at: int, chance: Random) -> Drawing:
    """Embeddings of products that changed."""
    count = chance.randint(8, 96)
    drawing = Drawing(chance, {"name": "product-embeddings", "input": text({"products": count})}, at)
    embed(drawing, count * chance.randrange(90, 240), took=drawing.between(180, 2_200))
    return drawing


def triage(*, at: int, chance: Random) -> Drawing:
    """A classification by a model of the company's own, which no price table knows."""
    label = chance.choice(("delivery", "refund", "fraud", "supplier", "other"))
    fields = {"name": "mail-triage", "prompt_name": "mail-triage", "prompt_version": "2026-10", "user_id": "svc-mail"}
    mail = f"From: {chance.choice(SUPPLIERS)}\nSubject: about our last delivery\n\n{TERMS}"
    drawing = Drawing(chance, {**fields, "input": mail, "output": text({"label": label})}, at)
    failed = chance.random() < 0.02
    outcome = {"status": "error", "error_message": "CUDA out of memory. Tried to allocate 2.00 GiB"} if failed else {}
    drawing.span(
        "generation",
        "classify",
        drawing.between(380, 3_000),
        model="qwen2.5-72b-local",
        provider=LOCAL,
        input_tokens=chance.randrange(500, 1_400),
        output_tokens=0 if failed else chance.randrange(8, 30),
        time_to_first_token_ms=drawing.between(90, 500),
        input=text([{"role": "user", "content": mail}]),
        output=None if failed else text({"label": label}),
        **outcome,
    )
    if failed:
        drawing.fields["status"] = "error"
    return drawing


def giant(*, at: int, chance: Random) -> Drawing:
    """The nightly index of the whole catalogue: 2,000 spans in one trace."""
    drawing = Drawing(chance, {"name": "catalogue-reindex", "user_id": "svc-nightly"}, at)
    root = drawing.opened("reindex")
    while len(drawing.spans) < GIANT_SPANS:
        batch = drawing.opened(f"shelf {1 + len(drawing.spans) // 40:02}", under=root)
        for _ in range(min(39, GIANT_SPANS - len(drawing.spans))):
            embed(drawing, chance.randrange(80, 900), took=drawing.between(60, 400), under=batch)
        drawing.close(batch)
    drawing.close(root)
    drawing.fields["metadata"] = {"products": GIANT_SPANS, "reason": "nightly"}
    return drawing
