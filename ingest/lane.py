"""The lane of signed requests: one thread of each web process answers them, and commits many at once.

Threads that take turns at the interpreter lock, each with a database connection of its own, cost more than the work
they do (docs/performance.md). Here the server's threads only read the body and wait: slow clients keep nobody else.
"""

import io
import threading
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from queue import Empty, SimpleQueue
from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.core.signals import request_finished, request_started
from django.urls import Resolver404, resolve

from bloop_site.lib.api import is_ingest
from bloop_site.lib.log import logger
from bloop_site.lib.turn import write_turn
from ingest import buffer
from ingest.views import SignedView

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

log = logger("ingest.lane")
GROUP_SECONDS = 0.01
MAX_GROUP = 64
POLL_SECONDS = 0.001


class Job:
    """A request on its way through the lane, and its answer."""

    def __init__(self, environ: Environ, body: bytes) -> None:
        self.environ = environ
        self.body = body
        self.head: tuple[Any, ...] = ()
        self.answer: list[bytes] = []
        self.error: BaseException | None = None
        self.entries: list[buffer.Entry] = []
        self.done = threading.Lock()
        self.done.acquire()

    def run(self, handler: WSGIHandler) -> None:
        """Let Django answer; what it raises is kept for the thread that waits.

        As WSGIHandler does, without its signals: they go round a group, not round each request (`Lane.serve`).
        """
        self.error = None
        try:
            request = WSGIRequest({**self.environ, "wsgi.input": io.BytesIO(self.body)})
            response: Any = handler.get_response(request)
            cookies = [("Set-Cookie", morsel.OutputString()) for morsel in response.cookies.values()]
            self.head = (f"{response.status_code} {response.reason_phrase}", [*response.items(), *cookies])
            self.answer = [response.content]
        except BaseException as error:  # noqa: BLE001  the lane goes on
            self.error = error


class Lane:
    """WSGI middleware: signed requests through the one thread, all others straight on.

    An answer leaves only after the commit of what it answers. When the commit refuses an entry, its request is run
    again with that refusal, so that the client is told.

    max_body: the most bytes a path takes whose view has no limit of its own.
    """

    def __init__(self, handler: WSGIHandler, *, max_body: int) -> None:
        self.handler = handler
        self.max_body = max_body
        self.jobs: SimpleQueue[Job] = SimpleQueue()
        self.thread: threading.Thread | None = None
        self.lock = threading.Lock()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if not is_ingest(path):
            return self.handler(environ, start_response)
        view = signed_view(path)
        limit = view.body_limit() if view else self.max_body
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or len(length) > 18 or int(length) > limit:
            return self.handler(environ, start_response)  # refused by its length, body unread
        job = Job(environ, read(environ, int(length)))
        self.jobs.put(job)
        if self.thread is None:
            self.start()
        job.done.acquire()
        if job.error is not None:
            raise job.error
        start_response(*job.head)
        return job.answer

    def start(self) -> None:
        """Start the thread, once in each process: not before a fork."""
        with self.lock:
            if self.thread is None:
                self.thread = threading.Thread(target=self.run, name="ingest-lane", daemon=True)
                self.thread.start()

    def run(self) -> None:
        try:
            while True:
                self.answer([self.jobs.get()])
        finally:
            self.thread = None  # should it ever end: the next request starts another

    def answer(self, group: list[Job]) -> None:
        """Serve the group and let it go; when that fails, whoever waits hears of it, and the lane goes on."""
        try:
            self.serve(group)
        except BaseException as error:
            for job in group:
                job.error = job.error or error
            log.exception("lane_failed")
        finally:
            for job in group:
                job.done.release()
            for entry in [entry for job in group for entry in job.entries]:
                entry.tell()

    def serve(self, group: list[Job]) -> None:
        """Answer the first job and those that come meanwhile, commit what they keep, refuse what could not be."""
        request_started.send(Lane)
        self.collect(group)
        try:
            buffer.commit([entry for job in group for entry in job.entries])
        finally:
            write_turn.give_up()
        for job in group:
            refusal = next((entry.error for entry in job.entries if entry.error), None)
            if refusal is not None:
                with buffer.refused(refusal):
                    job.run(self.handler)
        request_finished.send(Lane)

    def collect(self, group: list[Job]) -> None:
        """Answer jobs until none waits and the turn to write is ours; while somebody else writes, go on."""
        ends = time.monotonic() + GROUP_SECONDS
        job: Job | None = group[0]
        while True:
            if job is not None:
                with buffer.deferred() as job.entries:
                    job.run(self.handler)
            is_full = len(group) >= MAX_GROUP
            job = None if is_full or time.monotonic() > ends else self.next_job(group)
            if job is None:
                if write_turn.take(wait=is_full):
                    return
                job = self.next_job(group, wait=POLL_SECONDS)

    def next_job(self, group: list[Job], *, wait: float = 0.0) -> Job | None:
        """The next job, now of the group, if one is there within `wait` seconds."""
        try:
            job = self.jobs.get(wait > 0, wait)
        except Empty:
            return None
        group.append(job)
        return job


@lru_cache(maxsize=64)
def signed_view(path: str) -> SignedView | None:
    """The view that signed requests to `path` go to, to be asked for its limit."""
    try:
        view = getattr(resolve(path).func, "cls", None)
    except Resolver404:
        return None
    return view() if isinstance(view, type) and issubclass(view, SignedView) else None


def read(environ: Environ, length: int) -> bytes:
    """The body; what there is of it when the client went away (the view misses the rest)."""
    try:
        body: bytes = environ["wsgi.input"].read(length)
    except OSError:
        return b""
    return body
