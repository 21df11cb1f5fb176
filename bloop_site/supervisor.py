"""Keeps Bloop's processes alive: starts web and worker, restarts what dies, stops everything in order.

Knows neither Django nor Celery, so that the process that only waits stays small: `manage.py serve` replaces itself
with `python -m bloop_site.supervisor`, which takes its children as JSON in BLOOP_CHILDREN.
"""

import ctypes
import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

PR_SET_PDEATHSIG = 1
SETTLED_SECONDS = 30.0
MAX_PAUSE = 10.0
TICK = 0.2
# Below the 8 s of design.md 2. Celery looks up from its queue every 2 s, then the worker flushes for up to 2 s more;
# web has long finished its requests by then.
STOP_SECONDS = 7.0


@dataclass
class Child:
    """A process that should always run."""

    name: str
    command: Sequence[str]
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    pause: float = 0.5
    next_start: float = 0.0
    extra_env: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        env = {**os.environ, **self.extra_env}
        bind = functools.partial(die_with_parent, os.getpid())
        self.process = subprocess.Popen(self.command, env=env, preexec_fn=bind)  # noqa: PLW1509, S603
        self.started_at = time.monotonic()

    def watch(self) -> None:
        """Start it if it is not running; wait longer each time it dies young."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.next_start:
                self.start()
        elif (code := self.process.poll()) is not None:
            self.pause = 0.5 if now - self.started_at > SETTLED_SECONDS else min(self.pause * 2, MAX_PAUSE)
            self.next_start, self.process = now + self.pause, None
            say("child_died", child=self.name, exit_code=code, restart_in_s=self.pause)

    def ask_to_stop(self) -> None:
        """Send SIGTERM if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def wait(self, *, until: float) -> None:
        """Wait for its end until a moment of the monotonic clock, then insist."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            say("child_killed", child=self.name)
            self.process.kill()
            self.process.wait()


def die_with_parent(parent_id: int) -> None:
    """Have the kernel end this process when its parent dies, even by SIGKILL: no orphan keeps the port or the queue.

    parent_id: of the process that started this one. Is it dead already, nobody would tell: this one ends at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent_id:
            os._exit(1)


def say(event: str, **fields: Any) -> None:
    """A log line like the application's."""
    sys.stderr.write(json.dumps({"event": event, "logger": "bloop.supervisor", **fields}) + "\n")
    sys.stderr.flush()


class Supervisor:
    """Runs children until SIGTERM or SIGINT."""

    def __init__(self, children: Sequence[Child]) -> None:
        self.children = children
        self.stopping = False

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self.request_stop)
        for child in self.children:
            child.start()
        while not self.stopping:
            for child in self.children:
                child.watch()
            time.sleep(TICK)
        until = time.monotonic() + STOP_SECONDS
        for child in self.children:
            child.ask_to_stop()
        for child in self.children:
            child.wait(until=until)
        return 0

    def request_stop(self, *_: Any) -> None:
        self.stopping = True


def main() -> int:
    """Supervise the children of BLOOP_CHILDREN: a JSON list of {"name", "command", "env"}."""
    described = json.loads(os.environ["BLOOP_CHILDREN"])
    children = [Child(each["name"], each["command"], extra_env=each.get("env", {})) for each in described]
    return Supervisor(children).run()


if __name__ == "__main__":
    raise SystemExit(main())
