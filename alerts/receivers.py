"""Listens for events that were folded, and sends for an evaluation: soon when something happened, else now and then."""

import threading
import time
from typing import Any

from alerts.tasks import queue_evaluation

PAUSE_SECONDS = 2.0  # between evaluations of rules that count events
MIN_PAUSE_SECONDS = 0.25


class Nudge:
    """Sends `evaluate` from a thread of its own: at once for occasions, at most once in two seconds for mere events.

    The flush goes on meanwhile, whatever the broker does. A message may be lost; beat's minute is behind it.
    """

    def __init__(self) -> None:
        self.some = threading.Event()
        self.urgent = threading.Event()
        self.thread: threading.Thread | None = None
        self.lock = threading.Lock()

    def add(self, *, is_urgent: bool) -> None:
        """Note that events were folded."""
        if is_urgent:
            self.urgent.set()
        self.some.set()
        with self.lock:
            if self.thread is None or not self.thread.is_alive():
                self.thread = threading.Thread(target=self.run, name="alerts-nudge", daemon=True)
                self.thread.start()

    def run(self) -> None:
        sent_at = float("-inf")
        while True:
            self.some.wait()
            self.urgent.wait(max(0.0, sent_at + PAUSE_SECONDS - time.monotonic()))
            self.some.clear()
            self.urgent.clear()
            queue_evaluation(only_busy=True)
            sent_at = time.monotonic()
            time.sleep(MIN_PAUSE_SECONDS)


nudge = Nudge()


def events_were_folded(sender: Any, *, occasions: int, **_: Any) -> None:
    """Receiver of `errors.signals.events_folded`."""
    nudge.add(is_urgent=occasions > 0)
