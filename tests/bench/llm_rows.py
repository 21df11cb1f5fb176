"""Rows of the table about LLM tracing: spans on their way in, every page of the section, search, one large trace."""

import http.client
import time
from contextlib import ExitStack
from pathlib import Path

from tests.bench.load import Load
from tests.bench.report import Row, median, percentile
from tests.bench.server import (
    KEY,
    Server,
    Usage,
    bloop,
    manage,
    new_folder,
    reader,
    run_module,
    send,
    sign_in,
    wait_until_folded,
)
from tests.bench.traces import COMMON_WORD, OLD_MODEL, OLD_PROVIDER, SPANS, rare_word

BATCH = 20
TRACES, SMALL_TRACES, DAYS = 200_000, 2_000, 30
NAMES = ("", "usage", "latency", "models", "traces", "prompts", "scores", "sessions", "tools", "rag", "feedback")
PATHS = [f"/llm{f'/{name}' if name else ''}?hours={hours}" for name in NAMES for hours in (24, 720)]
SORTED = [f"/llm/traces?hours=720&sort={order}" for order in ("slowest", "most_expensive", "tokens_desc")]
FILTERED = [
    *(f"/llm/traces?hours=720&{each}" for each in ("user_id=user-5", "min_latency=5990", "min_cost=0.5")),
    *(f"/llm/traces?hours=720&{each}" for each in ("status=error", "status=running", "has_error=on")),
    "/llm/traces?hours=720&min_latency=3000&status=error&sort=most_expensive",
    *(f"/llm/scores?hours=720&name={each}" for each in ("faithfulness", "passed&sort=newest")),
    "/llm/feedback?hours=720&value=-1",
]
# Of a model nobody uses any more, and of one whose traces are the cheapest, the matches are at the list's other end.
OF_MODEL = [
    *(f"/llm/traces?hours=720&{each}" for each in ("model=qwen-local", "model=unheard-of", "provider=vllm")),
    *(f"/llm/traces?hours=720&{each}" for each in (f"model={OLD_MODEL}", f"provider={OLD_PROVIDER}&sort=slowest")),
    "/llm/traces?hours=720&model=qwen-local&sort=most_expensive",
    "/llm/traces?hours=720&status=error&sort=slowest",
]
NARROWED = [*SORTED, *FILTERED, *OF_MODEL]
Took = dict[str, list[float]]


def llm(parent: Path, port: int, *, quick: bool) -> list[Row]:
    """Batches of 20 traces with 5 spans each, timed from the first byte sent to the last span in its table."""
    rounds, count = (1, 50) if quick else (3, 300)
    folder = new_folder(parent, "llm")
    rates, runs, outcomes, cpu, peak = [], [], [], 0.0, 0.0
    with bloop(folder, port=port) as server:
        send(trace_load(server, count=10, seed=99))
        wait_until_folded(server.database)
        for turn in range(rounds):
            before = stored_spans(server.database)
            with Usage(server) as usage:
                outcome = send(trace_load(server, count=count, seed=turn))
                wait_until_folded(server.database)
                seconds = time.time() - outcome.started_at
            spans = stored_spans(server.database) - before
            if spans != count * BATCH * SPANS:
                raise SystemExit(f"{count * BATCH * SPANS} spans accepted, {spans} stored")
            outcomes.append(outcome)
            rates.append(spans / seconds)
            cpu, peak = cpu + usage.cpu_seconds, max(peak, usage.peak_mb)
            runs.append(f"{rates[-1]:,.0f}/s, {outcome.refused} times 503")
    manage(folder, "verify_rollups")  # ends the bench when a rollup is wrong
    plain = run_module("plain_traces", folder, copy=str(folder / "plain.db"))
    return [
        Row(
            name=f"Batches of {BATCH} traces with {SPANS} spans, stored",
            rate=f"{median(rates):,.0f} spans/s",
            yardstick=f"plain sqlite3 script {plain['spans'] / plain['seconds']:,.0f}/s",
            bound=8_000,
            measured=median(rates),
            at_least=True,
            unit=" spans/s",
            p50_ms=median([outcome.p50_ms for outcome in outcomes]),
            p99_ms=median([outcome.p99_ms for outcome in outcomes]),
            cpu_per_1000=1000 * cpu / (rounds * count * BATCH * SPANS),
            peak_mb=peak,
            runs=runs,
        )
    ]


def trace_load(server: Server, *, count: int, seed: int) -> Load:
    """So many batches, none like another."""
    return Load(
        port=server.port, key=KEY, kind="traces", connections=4, batch=BATCH, count=count, pool=count * BATCH, seed=seed
    )


def stored_spans(database: Path) -> int:
    """The spans in the table; raises if the rollups count others, or anything was buried."""
    with reader(database) as connection:
        stored = int(connection.execute("SELECT count(*) FROM llmtraces_span").fetchone()[0])
        counted = int(connection.execute("SELECT coalesce(sum(span_count), 0) FROM llmtraces_usagehour").fetchone()[0])
        buried = int(connection.execute("SELECT count(*) FROM ingest_deadpayload").fetchone()[0])
    if counted != stored or buried:
        raise SystemExit(f"{stored} spans stored, {counted} counted, {buried} buried")
    return stored


def filled(parent: Path, name: str, *, traces: int) -> tuple[Path, str]:
    """A folder with so many traces over 30 days, and how long the filling took."""
    folder = new_folder(parent, name)
    done = run_module("llm_fill", folder, kind="stored", traces=traces, days=DAYS)
    return folder, f"{traces * SPANS:,} spans folded in {done['seconds']:.0f} s"


def llm_pages(parent: Path, port: int, *, quick: bool) -> list[Row]:
    """Every page for 24 hours and 30 days, in turns at 10,000 spans and at a million: time, growth, queries.

    Of lists that are narrowed or sorted the time alone is bounded: how many rows they draw depends on how many match.
    """
    rounds = 2 if quick else 30
    sizes = (SMALL_TRACES, 2 * SMALL_TRACES if quick else TRACES)
    homes = [filled(parent, f"llm-pages-{traces}", traces=traces) for traces in sizes]
    label, counted = f"{sizes[1] * SPANS:,} spans", [*PATHS, *NARROWED]
    tooks: list[Took] = []
    counts = []
    with ExitStack() as stack:
        sites = []
        for index, (folder, _) in enumerate(homes):
            server = stack.enter_context(bloop(folder, port=port + index))
            sites.append((server, sign_in(server)))
            tooks.append({path: [] for path in (*PATHS, *NARROWED)})
        for number in range(rounds + 2):
            for (server, cookie), took in zip(sites, tooks, strict=True):
                look(server, cookie, took)
                if number < 2:
                    for values in took.values():
                        values.clear()
        counts = [
            run_module("llm_fill", folder, kind="queries", paths=counted, cookie=cookie)
            for (folder, _), (_, cookie) in zip(homes, sites, strict=True)
        ]
    rows = [row for path in PATHS for row in page_rows(path, label, small=tooks[0][path], large=tooks[1][path])]
    rows += [time_row(f"{path} at {label}, p95", tooks[1][path], bound=100) for path in NARROWED]
    more = [f"{path} {counts[0][path]} to {counts[1][path]}" for path in counted if counts[0][path] != counts[1][path]]
    rows.append(Row(f"LLM pages with more or fewer queries at {label}", "", "", 0, len(more), False, "", runs=more))
    rows[0].runs += [said for _, said in homes]
    return rows


def look(server: Server, cookie: str, took: Took) -> None:
    """Fetch each of these pages once on one connection, and note the milliseconds."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    for path, values in took.items():
        begun = time.perf_counter()
        connection.request("GET", path, headers={"Cookie": cookie})
        answer = connection.getresponse()
        body = answer.read()
        values.append(1000 * (time.perf_counter() - begun))
        if answer.status != 200:
            raise SystemExit(f"{path} was answered {answer.status}: {body[:200]!r}")
    connection.close()


def page_rows(path: str, label: str, *, small: list[float], large: list[float]) -> list[Row]:
    """A page's p95, and how much slower its usual answer is than at 10,000 spans."""
    slowest = time_row(f"{path} at {label}, p95", large, bound=100)
    growth = median(large) / median(small)
    yardstick = f"at 10,000 spans {median(small):.1f} ms"
    return [slowest, Row(f"{path}, growth", "", yardstick, 1.5, growth, at_least=False, unit=" times")]


def time_row(name: str, took: list[float], *, bound: float) -> Row:
    """A row about the 95th percentile of milliseconds."""
    return Row(
        name=name,
        rate="",
        yardstick="",
        bound=bound,
        measured=percentile(took, 0.95),
        at_least=False,
        unit=" ms",
        p50_ms=median(took),
        p99_ms=percentile(took, 0.99),
    )


def llm_search(parent: Path, port: int, *, quick: bool) -> list[Row]:
    """A word of one trace and a word of most, over 30 days. Without an index, or with a miss, it ends the bench."""
    traces, rounds = (SMALL_TRACES, 5) if quick else (TRACES, 40)
    folder, said = filled(parent, "llm-search", traces=traces)
    rare, common = (f"/llm/search?hours=720&q={word}" for word in (rare_word(traces // 2), COMMON_WORD))
    took: Took = {rare: [], common: []}
    with bloop(folder, port=port) as server:
        cookie = sign_in(server)
        for path in took:
            expect_found(server, cookie, path)
        for _ in range(rounds):
            look(server, cookie, took)
    label = f"among {traces * SPANS:,} spans, p95"
    rows = [
        time_row(f"Search for a rare word {label}", took[rare], bound=200),
        time_row(f"Search for a common word {label}", took[common], bound=500),
    ]
    rows[0].runs.append(said)
    return rows


def expect_found(server: Server, cookie: str, path: str) -> None:
    """Stop the bench when the search finds no trace: fast misses mean nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("GET", path, headers={"Cookie": cookie})
    body = connection.getresponse().read()
    connection.close()
    if b"/llm/trace/" not in body:
        raise SystemExit(f"{path} found nothing: {body[:200]!r}")


def llm_trace(parent: Path, port: int, *, quick: bool) -> list[Row]:
    """The first view of a trace with 2,000 spans."""
    rounds = 5 if quick else 40
    folder = new_folder(parent, "llm-trace")
    run_module("llm_fill", folder, kind="large", spans=2_000)
    took: Took = {"/llm/trace/default?id=large": []}
    with bloop(folder, port=port) as server:
        cookie = sign_in(server)
        for _ in range(rounds):
            look(server, cookie, took)
    return [time_row("Trace of 2,000 spans, p95", next(iter(took.values())), bound=500)]
