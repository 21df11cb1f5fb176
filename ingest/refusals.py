"""What ingest refuses, counted: clients swallow the answer, so people have to see it here.

A refusal costs a dictionary entry. A thread of its own writes the counts, at most once a second: whoever sends junk
makes the database no busier than one small statement a second, however much they send and however many keys they
invent. Neither payloads nor keys are kept, not even the beginning of an unknown one, for it may be another's secret:
who sent it is told by the address. A process that dies loses the counts of its last second.
"""

import threading
import time
from collections.abc import Mapping
from typing import NamedTuple

from django.db import InterfaceError, OperationalError, connection, connections

from bloop_site.lib.clock import hour_of
from bloop_site.lib.db import insert_rows
from bloop_site.lib.log import logger
from bloop_site.lib.turn import write_turn
from ingest import reasons
from projects.queries import MAX_KEY, projects_of_keys

log = logger("ingest.refusals")
PAUSE_SECONDS = 1.0
MAX_HELD = 1_000  # different counts between two writes
MAX_NAMED = 200  # of those, counts under the name of a key nobody has looked up: clients can invent them
MAX_TEXT = 300
MAX_ADDRESS = 64
INSERT_SQL = "INSERT INTO ingest_refusedcount (project_id, reason, hour_ms, count, last_ms, last_text, last_address)"
# What the table has may be newer: another process may have written meanwhile.
ADD_SQL = """
    ON CONFLICT (project_id, hour_ms, reason) DO UPDATE SET
        count = ingest_refusedcount.count + excluded.count,
        last_ms = CASE WHEN excluded.last_ms >= ingest_refusedcount.last_ms
            THEN excluded.last_ms ELSE ingest_refusedcount.last_ms END,
        last_text = CASE WHEN excluded.last_ms >= ingest_refusedcount.last_ms
            THEN excluded.last_text ELSE ingest_refusedcount.last_text END,
        last_address = CASE WHEN excluded.last_ms >= ingest_refusedcount.last_ms
            THEN excluded.last_address ELSE ingest_refusedcount.last_address END
"""


class Place(NamedTuple):
    """Where a refusal is counted. key: what it named, where nobody has looked up whose it is; else empty."""

    project_id: str
    reason: str
    hour_ms: int
    key: str = ""


class Seen(NamedTuple):
    """How often, and the last time: epoch ms, the answer's text, the client's address."""

    times: int
    last_ms: int
    text: str
    address: str

    def plus(self, other: "Seen") -> "Seen":
        """Both together, with the words of the later one."""
        later = max(self, other, key=lambda each: each.last_ms)
        return later._replace(times=self.times + other.times)


class Refusals:
    """The counts of this process that are not written yet. Thread-safe."""

    def __init__(self) -> None:
        self.held: dict[Place, Seen] = {}
        self.named = 0
        self.lock = threading.Lock()
        self.some = threading.Event()
        self.thread: threading.Thread | None = None

    def note(
        self, *, reason: str, text: str, address: str, at_ms: int, project_id: str = "", key: str = "", count: int = 1
    ) -> None:
        """Count a refusal.

        project_id: whose it is, "" when nobody knows. key: then, the key it named; looked up when counts are written.
        """
        named = key if key and not project_id and len(key) <= MAX_KEY and "\x00" not in key else ""
        place = Place(project_id, reason, hour_of(at_ms), named)
        self.add(place, Seen(count, at_ms, text[:MAX_TEXT], address[:MAX_ADDRESS]))
        self.some.set()
        if self.thread is None or not self.thread.is_alive():
            self.start()

    def add(self, place: Place, seen: Seen) -> None:
        """Count in one place, or in a common one when there are too many."""
        with self.lock:
            held = self.held.get(place)
            if held is None:
                place = self.admitted(place)
                held = self.held.get(place)
            self.held[place] = held.plus(seen) if held else seen

    def admitted(self, place: Place) -> Place:
        """The place itself if there is room for it, else the one it is counted in."""
        if place.key and self.named >= MAX_NAMED:
            place = place._replace(key="")
        if place not in self.held and len(self.held) >= MAX_HELD:
            return Place("", reasons.OTHER, place.hour_ms)
        self.named += bool(place.key) and place not in self.held
        return place

    def take(self) -> dict[Place, Seen]:
        """What is held; nothing is any more."""
        with self.lock:
            taken, self.held, self.named = self.held, {}, 0
            return taken

    def flush(self) -> None:
        """Write what is held. It is held on while the database is away; after any other failure it is dropped."""
        taken = self.take()
        if not taken:
            return
        try:
            write(settled(taken))
        except (OperationalError, InterfaceError) as error:
            log.warning("refusals_wait", reason=type(error).__name__)
            for place, seen in taken.items():
                self.add(place, seen)
            self.some.set()
        except Exception:
            log.exception("refusals_dropped", counts=len(taken))

    def start(self) -> None:
        """Start the thread that writes, once in each process: not before a fork."""
        with self.lock:
            if self.thread is None or not self.thread.is_alive():
                self.thread = threading.Thread(target=self.run, name="refusals", daemon=True)
                self.thread.start()

    def run(self) -> None:
        while True:
            self.some.wait()
            self.some.clear()
            self.flush()
            connections.close_all()  # it is seldom needed, and PostgreSQL's pool is small
            time.sleep(PAUSE_SECONDS)


def settled(taken: Mapping[Place, Seen]) -> dict[Place, Seen]:
    """The same with the project of each key that has one, however old the key; an unknown key's has none.

    Keys that ended count too: that a program still signs with one is what its people need to know.
    """
    owners = projects_of_keys({place.key for place in taken if place.key})
    found: dict[Place, Seen] = {}
    for place, seen in taken.items():
        if place.key:
            place = Place(owners.get(place.key, ""), place.reason, place.hour_ms)  # noqa: PLW2901
        found[place] = found[place].plus(seen) if place in found else seen
    return found


def write(counts: Mapping[Place, Seen]) -> None:
    """Add the counts to the table in one statement; in one order, so that two processes never wait for each other."""
    rows = [(*place[:3], *counts[place]) for place in sorted(counts)]
    with write_turn, connection.cursor() as cursor:
        insert_rows(cursor, INSERT_SQL, rows, then=ADD_SQL)


refusals = Refusals()
