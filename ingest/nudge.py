"""Tells the worker that a full batch waits, from a thread of its own: a slow broker never delays an answer."""

import threading
import time

from django.conf import settings

from bloop_site.lib.log import logger
from ingest.tasks import flush

log = logger("ingest.nudge")
MIN_PAUSE = 0.25


class Nudge:
    """Counts accepted items and sends `flush` for each full batch. It may get lost; beat's tick is behind it."""

    def __init__(self) -> None:
        self.count = 0
        self.wanted = threading.Event()
        self.thread: threading.Thread | None = None
        self.lock = threading.Lock()

    def add(self, items: int) -> None:
        """Note items just committed."""
        with self.lock:
            self.count += items
            if self.count < settings.BLOOP.pipeline.flush_batch_size:
                return
            self.count = 0
            if self.thread is None or not self.thread.is_alive():
                self.thread = threading.Thread(target=self.run, name="nudge", daemon=True)
                self.thread.start()
        self.wanted.set()

    def run(self) -> None:
        while True:
            self.wanted.wait()
            self.wanted.clear()
            try:
                flush.apply_async(expires=10, retry=False)
            except Exception as error:  # noqa: BLE001  beat will flush all the same
                log.warning("nudge_failed", reason=type(error).__name__)
            time.sleep(MIN_PAUSE)


nudge = Nudge()
