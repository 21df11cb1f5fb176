"""Takes turns at writing between the processes of one SQLite file.

SQLite's own waiting sleeps, longer each time (1, 2, 5 … 100 ms): under load two writers spend half their time asleep
beside a lock that is free. The kernel's file locks wake the next one at once, and end with their process.
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from django.conf import settings
from django.db import connection

POLL_SECONDS = 0.002  # ingest, which looks every millisecond, comes first


class WriteTurn:
    """The turn to write, held by one thread of one process at a time. On PostgreSQL everybody has it.

    A courtesy between the busiest writers, ingest and its flush: who writes is still decided by SQLite, and nothing's
    correctness rests on this.
    """

    def __init__(self) -> None:
        self.ours = threading.Lock()
        self.file: int | None = None

    def take(self, *, wait: bool = True) -> bool:
        """Take the turn; without `wait`, only if it is free. Returns whether we have it."""
        if connection.vendor != "sqlite":
            return True
        if not self.ours.acquire(blocking=wait):
            return False
        try:
            if self.file is None:
                self.file = os.open(settings.DATA_FOLDER / "write.turn", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self.file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException as error:
            self.ours.release()
            if isinstance(error, BlockingIOError):
                return False
            raise
        return True

    def give_up(self) -> None:
        """Let the next one write."""
        if self.file is not None and self.ours.locked():
            fcntl.flock(self.file, fcntl.LOCK_UN)
            self.ours.release()

    @contextmanager
    def when_free(self, *, seconds: float) -> Iterator[None]:
        """The turn for who is in no hurry: not asked for while another has it, for up to `seconds`.

        Who queues for it has it the moment a flush gives it up, so that ingest waits for one after the other.
        """
        ends = time.monotonic() + seconds
        while not self.take(wait=time.monotonic() >= ends):
            time.sleep(POLL_SECONDS)
        try:
            yield
        finally:
            self.give_up()

    def __enter__(self) -> None:
        self.take()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.give_up()


write_turn = WriteTurn()
