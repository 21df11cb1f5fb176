"""The yardstick of the drain: the same work on the same file, in as little Python as it takes. No Django.

Same payloads, decoded from the same msgpack; same grouping in memory; same rows, upserts and indexes (it runs on a
copy of the same database), same pragmas, foreign keys checked, one transaction for 500 events, payloads removed in it.
"""

import json
import os
import resource
import sqlite3
import time
from collections import defaultdict
from typing import Any

import msgspec

from errors.search_words import words_of

HOUR, MINUTE, PER_TRANSACTION = 3_600_000, 60_000, 500
PRAGMAS = (
    "foreign_keys=ON",
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "secure_delete=FAST",
    "wal_autocheckpoint=16000",
    "cache_size=-16000",
    "mmap_size=268435456",
    "temp_store=MEMORY",
)
SEEN = """total_count = total_count + excluded.total_count,
    first_seen_ms = min(first_seen_ms, excluded.first_seen_ms),
    last_seen_ms = max(last_seen_ms, excluded.last_seen_ms)"""
SELECT = (
    "SELECT id, project_id, body, received_ms FROM ingest_bufferedpayload WHERE kind = 'errors' ORDER BY id LIMIT ?"
)
ISSUE = f"""INSERT INTO errors_issue (project_id, fingerprint, status, error_type, message, source, route, screen,
    first_seen_ms, last_seen_ms, total_count, first_release) VALUES (?, ?, 'unresolved', ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (project_id, fingerprint) DO UPDATE SET {SEEN} RETURNING id, status, total_count"""
WORDS = "INSERT INTO errors_searchwords (issue_id, words) VALUES (?, ?)"
AGGREGATE = f"""INSERT INTO errors_aggregate (issue_id, project_id, release, environment, error_type, message, source,
    route, screen, first_seen_ms, last_seen_ms, total_count) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (issue_id, release, environment) DO UPDATE SET {SEEN} RETURNING id, total_count"""
SEEN_THERE = "SELECT 1 FROM errors_aggregate WHERE issue_id = ? AND environment = ? AND id < ? LIMIT 1"
OCCASION = """INSERT INTO errors_occasion (kind, project_id, issue_id, environment, source, release, happened_ms)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
HOURLY = """INSERT INTO errors_hourlycount (issue_id, hour_ms, environment, source, count) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (issue_id, hour_ms, environment, source) DO UPDATE SET count = count + excluded.count"""
PROJECT_HOURLY = """INSERT INTO errors_projecthourlycount (project_id, hour_ms, environment, source, count)
    VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (project_id, hour_ms, environment, source) DO UPDATE SET count = count + excluded.count"""
MINUTELY = """INSERT INTO errors_minutecount (project_id, slot, minute_ms, count) VALUES (?, ?, ?, ?)
    ON CONFLICT (project_id, slot) DO UPDATE SET
        count = CASE WHEN excluded.minute_ms > minute_ms THEN excluded.count
                     WHEN excluded.minute_ms = minute_ms THEN count + excluded.count ELSE count END,
        minute_ms = max(minute_ms, excluded.minute_ms)"""
OF_RULES = """INSERT INTO errors_projectminute (project_id, minute_ms, environment, source, count)
    VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (project_id, minute_ms, environment, source) DO UPDATE SET count = count + excluded.count"""
RELEASE = f"""INSERT INTO errors_release (project_id, name, first_seen_ms, last_seen_ms, total_count)
    VALUES (?, ?, ?, ?, ?) ON CONFLICT (project_id, name) DO UPDATE SET {SEEN} RETURNING id"""
RELEASE_HOURLY = """INSERT INTO errors_releasehourlycount (release_id, hour_ms, count) VALUES (?, ?, ?)
    ON CONFLICT (release_id, hour_ms) DO UPDATE SET count = count + excluded.count"""
EVENT = f"""INSERT INTO errors_event (issue_id, project_id, received_ms, event_id, timestamp_ms, source, environment,
    release, error_type, message, stack, route, screen, app_version, build_number, http_status, request_id,
    user_id_hash, device_id_hash, metadata, trace_id) VALUES ({", ".join("?" * 21)})"""

Tally = list[Any]  # first event, count, first ms, last ms
decode = msgspec.msgpack.Decoder(list[list[Any]]).decode


def fold(connection: sqlite3.Connection, rows: list[tuple[int, str, bytes, int]]) -> int:
    """Decode, group and write one batch. Returns its events."""
    issues: dict[Any, Tally] = {}
    aggregates: dict[Any, Tally] = {}
    hours: defaultdict[Any, int] = defaultdict(int)
    project_hours: defaultdict[Any, int] = defaultdict(int)
    minutes: defaultdict[Any, int] = defaultdict(int)
    of_rules: defaultdict[Any, int] = defaultdict(int)
    releases: dict[Any, Tally] = {}
    release_hours: defaultdict[Any, int] = defaultdict(int)
    events = [(project_id, at, event) for _, project_id, body, at in rows for event in decode(body)]
    connection.execute("BEGIN IMMEDIATE")
    marks = ", ".join("?" * len(rows))
    connection.execute(f"DELETE FROM ingest_bufferedpayload WHERE id IN ({marks})", [row[0] for row in rows])
    named = [(project_id, event[1]) for project_id, _, event in events if event[1]]
    if named:
        raise SystemExit("the backlog of the bench has no event ids")
    for project_id, at, event in events:
        key = (project_id, event[0])
        release = (project_id, event[5])
        for tallies, name in ((issues, key), (aggregates, (key, event[5], event[4])), (releases, release)):
            tally = tallies.get(name)
            if tally is None:
                tallies[name] = [event, 1, at, at]
            else:
                tally[1] += 1
                tally[2] = min(tally[2], at)
                tally[3] = max(tally[3], at)
        hours[key, at - at % HOUR, event[4], event[3]] += 1
        project_hours[project_id, at - at % HOUR, event[4], event[3]] += 1
        minutes[project_id, at - at % MINUTE] += 1
        of_rules[project_id, at - at % MINUTE, event[4], event[3]] += 1
        release_hours[release, at - at % HOUR] += 1
    ids, new = {}, set()
    for key, tally in issues.items():
        ids[key], status, total = connection.execute(ISSUE, (*key, *described(tally), tally[0][5])).fetchone()
        if total == tally[1]:
            event = tally[0]
            words = words_of([event[6], event[7], event[9], event[10], event[8]])
            connection.execute(WORDS, (ids[key], words))
            new.add(key)
            connection.execute(OCCASION, ("new", key[0], ids[key], event[4], event[3], event[5], tally[2]))
        if status == "resolved":
            raise SystemExit("the backlog of the bench reopens nothing")
    connection.executemany(EVENT, [(ids[each[0], each[2][0]], each[0], each[1], *each[2][1:]) for each in events])
    write_places(connection, aggregates, ids, new)
    connection.executemany(HOURLY, [(ids[key], *rest, count) for (key, *rest), count in hours.items()])
    connection.executemany(PROJECT_HOURLY, [(*key, count) for key, count in project_hours.items()])
    ring = [(project_id, minute // MINUTE % 1440, minute, count) for (project_id, minute), count in minutes.items()]
    connection.executemany(MINUTELY, ring)
    connection.executemany(OF_RULES, [(*key, count) for key, count in of_rules.items()])
    release_ids = {
        key: connection.execute(RELEASE, (*key, tally[2], tally[3], tally[1])).fetchone()[0]
        for key, tally in releases.items()
    }
    connection.executemany(
        RELEASE_HOURLY, [(release_ids[key], hour, count) for (key, hour), count in release_hours.items()]
    )
    connection.execute("COMMIT")
    return len(events)


def write_places(
    connection: sqlite3.Connection, aggregates: dict[Any, Tally], ids: dict[Any, int], new: set[Any]
) -> None:
    """Write the aggregates, and an occasion for each issue's first in an environment."""
    first: dict[Any, Tally] = {}
    made = []
    for (key, *place), tally in aggregates.items():
        row = (ids[key], key[0], *place, *described(tally))
        pk, total = connection.execute(AGGREGATE, row).fetchone()
        if total == tally[1]:
            made.append(pk)
            told = first.get((key, place[1]))
            if told is None or tally[2] < told[2]:
                first[key, place[1]] = tally
    for (key, environment), tally in first.items():
        seen = key not in new and connection.execute(SEEN_THERE, (ids[key], environment, min(made))).fetchone()
        if not seen:
            event = tally[0]
            row = ("new_env", key[0], ids[key], environment, event[3], event[5], tally[2])
            connection.execute(OCCASION, row)


def described(tally: Tally) -> tuple[Any, ...]:
    """An issue's or aggregate's columns from its first event, then when and how often."""
    event, count, first_ms, last_ms = tally
    return event[6], event[7], event[3], event[9], event[10], first_ms, last_ms, count


def main() -> None:
    connection = sqlite3.connect(os.environ["BLOOP__DATABASE__PATH"], isolation_level=None)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    begun, cpu, stored = time.perf_counter(), time.process_time(), 0
    while rows := connection.execute(SELECT, (PER_TRANSACTION,)).fetchall():
        stored += fold(connection, rows)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(json.dumps({"stored": stored, "seconds": seconds, "cpu_seconds": cpu, "peak_mb": peak_mb}))


if __name__ == "__main__":
    main()
