"""The thread of a worker that sends alerts, so that no task of Celery's, and with it no flush, waits for a channel."""

import math
import queue
import threading

from django.db import close_old_connections, connections

from alerts.services import claims
from alerts.services.deliver import Inbox, deliver_due
from bloop_site.lib.clock import SECOND_MS, now_ms
from bloop_site.lib.log import logger

log = logger("alerts")
LINGER_SECONDS = 10.0  # for what is due so soon; beat asks as often
PAUSE_AFTER_FAULT = 1.0


class Courier:
    """Runs rounds of `deliver_due` as long as something is due; there is one thread at most."""

    def __init__(self) -> None:
        self.inbox: Inbox = queue.SimpleQueue()
        self.lock = threading.Lock()
        self.asked = threading.Event()
        self.stopping = threading.Event()
        self.thread: threading.Thread | None = None

    def wake(self) -> None:
        """Something may be due."""
        with self.lock:
            if self.stopping.is_set():
                return
            self.asked.set()
            self.inbox.put(None)
            if self.thread is None or not self.thread.is_alive():
                self.thread = threading.Thread(target=self.run, name="courier", daemon=True)
                self.thread.start()

    def stop(self, *, seconds: float) -> None:
        """Begin nothing more, and wait a while for what is under way. What is not done then is sent again later."""
        self.stopping.set()
        self.asked.set()
        if thread := self.thread:
            thread.join(timeout=seconds)

    def run(self) -> None:
        while not self.may_end(pause := self.work()):
            self.asked.wait(pause)

    def may_end(self, pause: float) -> bool:
        """Whether nothing will be due soon; then the thread is over for `wake`."""
        with self.lock:
            if self.stopping.is_set() or (pause > LINGER_SECONDS and not self.asked.is_set()):
                self.thread = None
                connections.close_all()
                return True
        return False

    def work(self) -> float:
        """One round, which goes on as long as something is under way: a message that hangs to its end keeps no other
        from being begun. Returns in how many seconds something is due.
        """
        self.asked.clear()
        close_old_connections()
        try:
            due_ms = deliver_due(now_ms=now_ms(), seconds=math.inf, inbox=self.inbox, stopping=self.stopping)
        except Exception:
            log.exception("deliveries_failed")
            return PAUSE_AFTER_FAULT
        return math.inf if due_ms is None else max(0.0, (due_ms - now_ms()) / SECOND_MS)


def waits_soon() -> bool:
    """Whether something is due before beat asks again."""
    at = now_ms()
    due_ms = claims.next_due_ms(now_ms=at)
    return due_ms is not None and due_ms <= at + LINGER_SECONDS * SECOND_MS


courier = Courier()
