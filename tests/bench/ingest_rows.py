"""Rows of the table about events on their way in: single, batches, drain, visible."""

import shutil
import time
from pathlib import Path

from tests.bench.load import Load, Outcome
from tests.bench.report import Row, median, percentile
from tests.bench.server import (
    KEY,
    Server,
    Usage,
    bare,
    bloop,
    new_folder,
    outcome_of,
    reader,
    run_module,
    send,
    start_sending,
    stored_events,
    wait_until_folded,
)

POLL_SECONDS = 0.05


def single(parent: Path, port: int, *, quick: bool) -> list[Row]:
    """One event a request on 16 connections, in turns with the bare view; what is accepted must all be stored."""
    rounds, seconds = (1, 3.0) if quick else (3, 6.0)
    folder = new_folder(parent, "single")
    ours: list[Outcome] = []
    theirs: list[Outcome] = []
    with bloop(folder, port=port) as server, bare(folder, port=port + 1) as yardstick:
        for warm in (server, yardstick):
            send(Load(port=warm.port, key=KEY, seconds=1.0, pool=2_000))
        wait_until_folded(server.database)
        before = stored_events(server.database)
        cpu, peak = 0.0, 0.0
        for turn in range(rounds):
            theirs.append(send(Load(port=yardstick.port, key=KEY, seconds=seconds, seed=turn)))
            with Usage(server) as usage:
                ours.append(send(Load(port=server.port, key=KEY, seconds=seconds, seed=turn)))
                wait_until_folded(server.database)
            cpu, peak = cpu + usage.cpu_seconds, max(peak, usage.peak_mb)
        accepted = sum(outcome.requests for outcome in ours)
        expect_stored(server, before + accepted)
    rates = [outcome.requests / outcome.seconds for outcome in ours]
    bare_rates = [outcome.requests / outcome.seconds for outcome in theirs]
    ratios = [mine / plain for mine, plain in zip(rates, bare_rates, strict=True)]
    return [
        Row(
            name="Single event, 16 connections",
            rate=f"{median(rates):,.0f} events/s",
            yardstick=f"bare Django view {median(bare_rates):,.0f}/s",
            bound=0.4,
            measured=median(ratios),
            at_least=True,
            unit=" of the bare view",
            p50_ms=median([outcome.p50_ms for outcome in ours]),
            p99_ms=median([outcome.p99_ms for outcome in ours]),
            cpu_per_1000=1000 * cpu / accepted,
            peak_mb=peak,
            runs=[
                f"{mine:,.0f} of {plain:,.0f}/s = {mine / plain:.2f} (generator {share(outcome)} of a core)"
                for mine, plain, outcome in zip(rates, bare_rates, ours, strict=True)
            ],
        )
    ]


def share(outcome: Outcome) -> str:
    """How much of a core the load generator itself used."""
    return f"{outcome.cpu_seconds / outcome.seconds:.0%}"


def expect_stored(server: Server, events: int) -> None:
    """Stop the bench when not every accepted event is stored exactly once: a rate without that means nothing."""
    stored = stored_events(server.database)
    if stored != events:
        raise SystemExit(f"{events} events accepted, {stored} stored")


def batches(parent: Path, port: int, *, quick: bool) -> list[Row]:
    """Batches of 50 on 16 connections, timed from the first byte sent to the last event in its table."""
    rounds, count = (1, 1_000) if quick else (3, 3_000)
    folder = new_folder(parent, "batches")
    rates, bare_rates, runs = [], [], []
    outcomes: list[Outcome] = []
    cpu, peak = 0.0, 0.0
    with bloop(folder, port=port) as server, bare(folder, port=port + 1) as yardstick:
        for warm in (server, yardstick):
            send(Load(port=warm.port, key=KEY, connections=16, batch=50, count=20, pool=1_000))
        wait_until_folded(server.database)
        before = stored_events(server.database)
        for turn in range(rounds):
            load = {"key": KEY, "connections": 16, "batch": 50, "count": count, "seed": turn}
            plain = send(Load(port=yardstick.port, **load))  # type: ignore[arg-type]
            with Usage(server) as usage:
                outcome = send(Load(port=server.port, **load))  # type: ignore[arg-type]
                wait_until_folded(server.database)
                seconds = time.time() - outcome.started_at
            outcomes.append(outcome)
            rates.append(50 * count / seconds)
            bare_rates.append(50 * count / plain.seconds)
            cpu, peak = cpu + usage.cpu_seconds, max(peak, usage.peak_mb)
            runs.append(
                f"stored {rates[-1]:,.0f}/s, accepted {50 * count / outcome.seconds:,.0f}/s, "
                f"{outcome.refused} times 503 and sent again (generator {share(outcome)} of a core)"
            )
        expect_stored(server, before + 50 * count * rounds)
    return [
        Row(
            name="Batches of 50, stored",
            rate=f"{median(rates):,.0f} events/s",
            yardstick=f"bare Django view, nothing stored {median(bare_rates):,.0f}/s",
            bound=15_000,
            measured=median(rates),
            at_least=True,
            unit=" events/s",
            p50_ms=median([outcome.p50_ms for outcome in outcomes]),
            p99_ms=median([outcome.p99_ms for outcome in outcomes]),
            cpu_per_1000=1000 * cpu / (50 * count * rounds),
            peak_mb=peak,
            runs=runs,
        )
    ]


def drain(parent: Path, _port: int, *, quick: bool) -> list[Row]:
    """A backlog of single events drained by the worker's code in a fresh process, and by plain sqlite3 on a copy."""
    rounds, events = (1, 20_000) if quick else (3, 100_000)
    folder = new_folder(parent, "drain")
    run_module("fill", folder, kind="backlog", events=events)
    results: dict[str, list[dict[str, float]]] = {"drain": [], "plain_sqlite": []}
    for _ in range(rounds):
        for module, found in results.items():
            copy = parent / f"drain-{module}"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(folder, copy)
            found.append(run_module(module, copy))
            if stored_events(copy / "bloop.db") != events or found[-1]["stored"] != events:
                raise SystemExit(f"{module} did not store the backlog")
    same_tables(parent / "drain-drain" / "bloop.db", parent / "drain-plain_sqlite" / "bloop.db")
    rates, plain = ([events / run["seconds"] for run in results[name]] for name in ("drain", "plain_sqlite"))
    ratios = [mine / theirs for mine, theirs in zip(rates, plain, strict=True)]
    return [
        Row(
            name=f"Drain of {events:,} events",
            rate=f"{median(rates):,.0f} events/s",
            yardstick=f"plain sqlite3 script {median(plain):,.0f}/s",
            bound=0.5,
            measured=median(ratios),
            at_least=True,
            unit=" of the script",
            cpu_per_1000=1000 * median([run["cpu_seconds"] for run in results["drain"]]) / events,
            peak_mb=max(run["peak_mb"] for run in results["drain"]),
            runs=[f"{mine:,.0f} of {theirs:,.0f}/s" for mine, theirs in zip(rates, plain, strict=True)],
        )
    ]


TABLES = {
    "errors_issue": "fingerprint, error_type, message, total_count, first_seen_ms, last_seen_ms",
    "errors_aggregate": "error_type, release, environment, message, total_count, first_seen_ms, last_seen_ms",
    "errors_hourlycount": "hour_ms, environment, source, count",
    "errors_projecthourlycount": "hour_ms, environment, source, count",
    "errors_minutecount": "slot, minute_ms, count",
    "errors_release": "name, total_count, first_seen_ms, last_seen_ms",
    "errors_releasehourlycount": "hour_ms, count",
    "errors_searchwords": "words",
    "errors_projectminute": "minute_ms, environment, source, count",
    "errors_occasion": "kind, environment, source, release, happened_ms",
    "errors_event": "message, stack, metadata, timestamp_ms, received_ms",
}


def same_tables(ours: Path, theirs: Path) -> None:
    """Stop the bench when the script did not write what the worker wrote: it would be no yardstick."""
    for name, columns in TABLES.items():
        query = f"SELECT {columns} FROM {name} ORDER BY {columns}"
        with reader(ours) as one, reader(theirs) as other:
            if one.execute(query).fetchall() != other.execute(query).fetchall():
                raise SystemExit(f"the script filled {name} differently")


def visible(parent: Path, port: int, *, quick: bool) -> list[Row]:
    """500 named events a second; from the answer of each to the first look, every 50 ms, that sees it in its table."""
    rate, seconds = 500, 5 if quick else 20
    folder = new_folder(parent, "visible")
    load = Load(port=port, key=KEY, count=rate * seconds, rate=rate, named=True, seed=7)
    seen: dict[str, float] = {}
    with bloop(folder, port=port) as server:
        send(Load(port=port, key=KEY, seconds=1.0, pool=1_000, connections=4))
        wait_until_folded(server.database)
        before = stored_events(server.database)
        with Usage(server) as usage:
            generator = start_sending(load)
            watch(server.database, seen, until=load.count)
            outcome = outcome_of(generator)
        expect_stored(server, before + load.count)
    waits = [
        max(0.0, seen[f"b-{load.seed}-{number}"] - answered) for number, answered in enumerate(outcome.answered_at)
    ]
    achieved = outcome.requests / outcome.seconds
    return [
        Row(
            name="Accepted to visible at 500 events/s",
            rate=f"{achieved:,.0f} events/s",
            yardstick="the promise of 2 s and the look every 50 ms",
            bound=2.5,
            measured=percentile(waits, 0.99),
            at_least=False,
            unit=" s",
            p50_ms=1000 * median(waits),
            p99_ms=1000 * percentile(waits, 0.99),
            cpu_per_1000=1000 * usage.cpu_seconds / load.count,
            peak_mb=usage.peak_mb,
            runs=[f"longest {max(waits):.2f} s; answers p50 {outcome.p50_ms:.1f} ms, p99 {outcome.p99_ms:.1f} ms"],
        )
    ]


def watch(database: Path, seen: dict[str, float], *, until: int) -> None:
    """Note when each named event is first seen in the table, until all are."""
    last, ends = 0, time.monotonic() + 120
    with reader(database) as connection:
        while len(seen) < until:
            rows = connection.execute(
                "SELECT id, event_id FROM errors_event WHERE id > ? AND event_id IS NOT NULL ORDER BY id", (last,)
            ).fetchall()
            now = time.time()
            for last, name in rows:  # noqa: B007  read after the loop
                seen[name] = now
            if time.monotonic() > ends:
                raise SystemExit(f"only {len(seen)} of {until} events became visible")
            time.sleep(POLL_SECONDS)
