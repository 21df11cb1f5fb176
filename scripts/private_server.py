"""A server of our own around one command: free loopback port, temporary folder, always stopped again.

Shared by with-postgres and with-redis. Standard library only, and it ends no process but the one it started.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

START_SECONDS = 30
STOP_SECONDS = 15


class Stopped(BaseException):
    """A signal asked this script to end; raised so that every `finally` runs."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(number)


def raise_stopped(number: int, _frame: object) -> None:
    raise Stopped(number)


def free_port() -> int:
    """A loopback port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def temporary_folder(owner: str | None) -> Iterator[Path]:
    """A new folder that belongs to `owner` (a user name, or None for ourselves), removed afterwards."""
    # Another user's server must be able to reach the folder, and a private TMPDIR may be closed to it.
    folder = Path(tempfile.mkdtemp(prefix="bloop-", dir="/tmp" if owner else None))  # noqa: S108  mode 0700
    try:
        if owner:
            shutil.chown(folder, owner)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running(
    argv: Sequence[str], *, user: str | None, log: Path, stop_signal: int, is_ready: Callable[[], bool]
) -> Iterator[None]:
    """Run a server as `user` until the block ends. Raises SystemExit with its log when it does not come up.

    It gets a session of its own, so Ctrl-C reaches the command first and the server goes last.
    """
    with log.open("wb") as output:
        server = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=log.parent,
            **({"user": user, "group": user, "extra_groups": []} if user else {}),
        )
    try:
        wait_until_ready(server, is_ready=is_ready, log=log)
        yield
    finally:
        server.send_signal(stop_signal)
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def wait_until_ready(server: subprocess.Popen[bytes], *, is_ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        if server.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"The private server did not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.05)


def run_command(argv: Sequence[str], *, variable: str, url: str) -> int:
    """Run the caller's command with `variable=url` in its environment; returns its exit code.

    SIGTERM is passed on, and the command waited for; Ctrl-C reaches it through the terminal.
    """
    with subprocess.Popen(argv, env={**os.environ, variable: url}) as command:
        try:
            return command.wait()
        except (Stopped, KeyboardInterrupt) as stopped:
            if isinstance(stopped, Stopped):
                command.send_signal(stopped.number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                command.wait(STOP_SECONDS)
            command.kill()
            return 128 + (stopped.number if isinstance(stopped, Stopped) else signal.SIGINT)


def main(name: str, around: Callable[[], contextlib.AbstractContextManager[str]], *, variable: str) -> int:
    """Read `[--as VARIABLE] COMMAND...`, run the command inside `around`, which gives the server's URL."""
    words = sys.argv[1:]
    if words[:1] == ["--as"]:
        variable, words = words[1], words[2:]
    if not words:
        sys.exit(f"usage: {name} [--as VARIABLE] COMMAND...   (VARIABLE is {variable} unless told)")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, raise_stopped)
    try:
        with around() as url:
            return run_command(words, variable=variable, url=url)
    except Stopped as stopped:
        return 128 + stopped.number
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
