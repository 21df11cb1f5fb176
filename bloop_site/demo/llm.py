"""Plays two weeks of LLM traces of two demo projects through the real parser, buffer and fold."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from django.conf import settings

from accounts.audit import COMMAND_LINE
from bloop_site.demo.llm_catalogue import QUALITIES, TALKS, THUMBS, UNREADABLE
from bloop_site.demo.llm_draw import giant, index_products, invoice, support, triage, version_at
from bloop_site.demo.model import API, WEB
from bloop_site.demo.shape import poisson, rhythm
from bloop_site.lib.clock import DAY_MS, HOUR_MS, MINUTE_MS, from_ms, hour_of
from ingest import buffer
from ingest.flush import flush_all
from llmtraces.contract import Entry, Rules, encode_entries, parse_trace
from llmtraces.judging import FeedbackIn, ScoreIn
from llmtraces.services.judgements import put_feedback, put_score
from llmtraces.services.settings import set_budget, set_policy
from projects.models import Project

FULL = "full"
SEED = 20_261_124
TALKS_PER_DAY, INVOICES_PER_DAY, TRIAGES_PER_DAY, INDEXES_PER_DAY = 20.0, 19.0, 20.0, 14.0
BUDGETS = {WEB: 15_000_000, API: 70_000_000}  # microdollars a month
GIANT_DAYS_AGO = 1.3
RUNNING_FOR_MS = (25_000, 80_000, 170_000)

Raw = dict[str, Any]


@dataclass(frozen=True)
class Failed:
    """A trace whose application also sent an error event: when, and the trace's id."""

    at_ms: int
    trace_id: str


@dataclass(frozen=True)
class PlayedTraces:
    """How many there are, and those an error event should name."""

    traces: int
    failed: list[Failed]


def play_traces(projects: dict[str, Project], *, now_ms: int, days: int) -> PlayedTraces:
    """Play all traces of the last `days` up to `now_ms`, fold them, and judge some. projects: by slug."""
    chance = Random(SEED)  # noqa: S311  the same demo every time
    for slug, budget in BUDGETS.items():
        decide(projects[slug], budget_micros=budget, now_ms=now_ms - days * DAY_MS)
    seen: dict[str, list[Raw]] = {WEB: [], API: []}
    for hour_ms in range(hour_of(now_ms - days * DAY_MS), now_ms, HOUR_MS):
        hours = {WEB: shop_hour(hour_ms, now_ms, chance), API: office_hour(hour_ms, chance)}
        for slug, drawn in hours.items():
            raws = [raw for raw in drawn if raw["started_at"] < now_ms]
            seen[slug] += raws
            post(projects[slug], [until(raw, now_ms) for raw in raws], now_ms=min(now_ms, hour_ms + HOUR_MS))
        if hour_ms % DAY_MS == 0:
            flush_all()
    seen[WEB] += [post_giant(projects[WEB], now_ms, chance), *post_running(projects[WEB], now_ms, chance)]
    flush_all()
    judge(projects[WEB], [raw for raw in seen[WEB] if raw["name"] == "support-chat"], now_ms, chance)
    unreadable = [raw for raw in seen[API] if raw["spans"][-1].get("error_message") == UNREADABLE]
    failed = [Failed(raw["ended_at"], raw["id"]) for raw in unreadable if raw["ended_at"] < now_ms]
    return PlayedTraces(traces=sum(map(len, seen.values())), failed=failed)


def decide(project: Project, *, budget_micros: int, now_ms: int) -> None:
    """Keep all texts, and set a monthly budget."""
    now = from_ms(now_ms)
    set_policy(project=project, policy=FULL, actor=COMMAND_LINE, now=now)
    set_budget(
        project=project,
        monthly_budget_micros=budget_micros,
        alert_threshold_pct=80,
        actor=COMMAND_LINE,
        now=now,
    )


def moments(per_day: float, hour_ms: int, chance: Random) -> list[int]:
    """When in this hour something happens that happens so often on an average day."""
    return sorted(hour_ms + chance.randrange(HOUR_MS) for _ in range(poisson(per_day / 24 * rhythm(hour_ms), chance)))


def shop_hour(hour_ms: int, now_ms: int, chance: Random) -> Iterator[Raw]:
    """What the shop sends that begins in an hour: conversations, and embeddings of products."""
    for at in moments(TALKS_PER_DAY, hour_ms, chance):
        yield from conversation(at, now_ms, chance)
    for at in moments(INDEXES_PER_DAY, hour_ms, chance):
        yield index_products(at=at, chance=chance).done()


def office_hour(hour_ms: int, chance: Random) -> Iterator[Raw]:
    """What the back office sends that begins in an hour: invoices, and mail."""
    for at in moments(INVOICES_PER_DAY, hour_ms, chance):
        yield invoice(at=at, chance=chance).done()
    for at in moments(TRIAGES_PER_DAY, hour_ms, chance):
        yield triage(at=at, chance=chance).done()


def conversation(at: int, now_ms: int, chance: Random) -> Iterator[Raw]:
    """All turns of a conversation, some seconds to minutes apart."""
    talk = chance.choice(TALKS)
    user = f"cust_{int(chance.paretovariate(0.9)) % 900:04}"
    who = {"session_id": f"chat-{chance.getrandbits(48):012x}", "user_id": user}
    version = version_at((now_ms - at) / DAY_MS, chance)
    for number in range(len(talk.turns)):
        drawing = support(talk, number, version, at=at, chance=chance, who=who)
        yield drawing.done()
        at = drawing.at + chance.randrange(8_000, 3 * MINUTE_MS)


def until(raw: Raw, now_ms: int) -> Raw:
    """The trace as it is known now: what has not ended yet is running, what has not begun is not there."""
    if raw["ended_at"] < now_ms:
        return raw
    spans = [unended(span, now_ms) for span in raw["spans"] if span["started_at"] < now_ms]
    return {**raw, "status": "running", "ended_at": None, "output": None, "spans": spans}


def unended(span: Raw, now_ms: int) -> Raw:
    """The span as it is known now."""
    if span["ended_at"] < now_ms:
        return span
    ends = ("ended_at", "latency_ms", "output", "output_tokens", "error_message", "time_to_first_token_ms")
    return {**span, **dict.fromkeys(ends), "status": "running"}


def post(project: Project, raws: list[Raw], *, now_ms: int) -> None:
    """Put traces into the buffer as `POST /v1/traces/batch` does."""
    if not raws:
        return
    rules = Rules(policy=FULL, max_spans=settings.BLOOP.llm_tracing.max_spans_per_trace)
    entries: list[Entry] = [parse_trace(raw, rules=rules, now_ms=now_ms) for raw in raws]
    rows = sum(1 + len(raw["spans"]) for raw in raws)
    buffer.append(kind="traces", project_id=project.pk, body=encode_entries(entries), items=rows, now_ms=now_ms)


def post_giant(project: Project, now_ms: int, chance: Random) -> Raw:
    """A trace of more spans than a post may have: posted again and again, each time with the next of them."""
    at = int(now_ms - GIANT_DAYS_AGO * DAY_MS)
    raw = giant(at=at, chance=chance).done()
    piece = settings.BLOOP.llm_tracing.max_spans_per_trace
    for start in range(0, len(raw["spans"]), piece):
        post(project, [{**raw, "spans": raw["spans"][start : start + piece]}], now_ms=raw["ended_at"])
    return raw


def post_running(project: Project, now_ms: int, chance: Random) -> list[Raw]:
    """Conversations that are under way: their answer is being generated."""
    found = []
    for index, ago in enumerate(RUNNING_FOR_MS):
        who = {"session_id": f"chat-{chance.getrandbits(48):012x}", "user_id": f"cust_{400 + index:04}"}
        version = version_at(0, chance)
        drawing = support(TALKS[index], 0, version, at=now_ms - ago, chance=chance, who=who)
        raw, answer = drawing.done(), drawing.spans[-1]
        raw["spans"][0] = unended({**raw["spans"][0], "ended_at": now_ms}, now_ms)
        raw["spans"][-1] = unended({**answer, "ended_at": now_ms}, now_ms)
        found.append({**raw, "status": "running", "ended_at": None, "output": None})
    post(project, found, now_ms=now_ms)
    return found


def judge(project: Project, raws: list[Raw], now_ms: int, chance: Random) -> None:
    """Scores and thumbs for some of the answers; the newer versions of the prompt do a little better."""
    for raw in raws:
        if raw["ended_at"] is None or raw["ended_at"] >= now_ms - MINUTE_MS:
            continue
        judged = {"project_id": project.pk, "trace_id": raw["id"]}
        if chance.random() < 0.35:
            for score in marks(raw, chance):
                put_score(**judged, score=score, now_ms=raw["ended_at"] + 30_000)
        if chance.random() < 0.22:
            put_feedback(**judged, feedback=thumb(raw, chance), now_ms=raw["ended_at"] + 40_000)


def marks(raw: Raw, chance: Random) -> Iterator[ScoreIn]:
    """The scores of an answer."""
    better = 0.03 * int(raw["prompt_version"])
    for name, mean, source in QUALITIES:
        spread = 0.02 if name == "toxicity" else 0.11
        middle = mean if name == "toxicity" else mean + better - (0.4 if raw["status"] == "error" else 0.06)
        value = round(min(1.0, max(0.0, chance.gauss(middle, spread))), 3)
        yield ScoreIn(name, value, source, None)


def thumb(raw: Raw, chance: Random) -> FeedbackIn:
    """What a customer says: failures get a thumb down."""
    value, comment = (-1, "It never answered.") if raw["status"] == "error" else chance.choice(THUMBS)
    return FeedbackIn(raw["user_id"], value, comment)
