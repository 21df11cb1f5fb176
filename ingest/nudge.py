"""Tells the worker that payloads wait, from a thread of its own: a slow broker never delays an answer."""

import threading
import time

from django.conf import settings

from bloop_site.lib.log import logger
from ingest.tasks import flush

log = logger("ingest.nudge")
MIN_PAUSE = 0.25


class Nudge:
    """Sends `flush` when a batch is full, or half the flush interval after the first item that waits.

    So an idle Bloop sends nothing but beat's tick, and an event waits for neither. A message may be lost; beat's tick
    is behind it.
    """

    def __init__(self) -> None:
        self.count = 0
        self.some = threading.Event()
        self.full = threading.Event()
        self.thread: threading.Thread | None = None
        self.lock = threading.Lock()

    def add(self, items: int) -> None:
        """Note items just committed."""
        with self.lock:
            self.count += items
            if self.count >= settings.BLOOP.pipeline.flush_batch_size:
                self.full.set()
            self.some.set()
            if self.thread is None or not self.thread.is_alive():
                self.thread = threading.Thread(target=self.run, name="nudge", daemon=True)
                self.thread.start()

    def run(self) -> None:
        while True:
            self.some.wait()
            self.full.wait(settings.BLOOP.pipeline.flush_interval_secs / 2)
            with self.lock:
                self.count = 0
                self.some.clear()
                self.full.clear()
            self.send()
            time.sleep(MIN_PAUSE)

    def send(self) -> None:
        """Queue one flush; a broker that is away is logged and forgotten."""
        try:
            flush.apply_async(expires=10, retry=False)
        except Exception as error:  # noqa: BLE001  beat will flush all the same
            log.warning("nudge_failed", reason=type(error).__name__)


nudge = Nudge()
