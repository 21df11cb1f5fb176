"""The pace of long series of writes: transactions so short that ingest, which waits for them, hardly notices."""

import time
from dataclasses import dataclass

from bloop_site.lib.db import copy_back

# A chunk's transaction should take about this long: it holds SQLite's write lock, for which ingest waits.
CHUNK_SECONDS = 0.015
MIN_ROWS, FIRST_ROWS, MAX_ROWS = 10, 100, 400  # the most, because rows of the next table may cost more
MAX_REST_SECONDS = 0.1
CHUNKS_A_COPY = 16


@dataclass
class Pace:
    """How many rows a chunk has, from how long the last one took, and how many times as long others get after it."""

    rows: int = FIRST_ROWS
    chunks: int = 0
    chunks_a_copy: int = CHUNKS_A_COPY
    chunk_seconds: float = CHUNK_SECONDS
    rest_times: float = 1.0

    def note(self, seconds: float) -> None:
        """Aim at `chunk_seconds`, growing by at most half: one lucky chunk proves little."""
        self.chunks += 1
        wanted = self.rows * self.chunk_seconds / max(seconds, 0.000_1)
        self.rows = max(MIN_ROWS, min(int(wanted), int(self.rows * 1.5), MAX_ROWS))

    def rest(self, took: float) -> None:
        """After a chunk, outside of its transaction: size the next by how long this one took, and let others write."""
        self.note(took)
        if self.chunks % self.chunks_a_copy == 0:
            copy_back()
        time.sleep(min(took * self.rest_times, MAX_REST_SECONDS))
