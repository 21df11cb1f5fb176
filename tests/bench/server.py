"""Real servers in a folder of their own, and what all their processes use: CPU seconds and proportional memory."""

import http.client
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from tests.bench.load import Load, Outcome

ROOT = Path(__file__).resolve().parent.parent.parent
KEY = "bench-" + "0123456789abcdef" * 4
SAMPLE_SECONDS = 0.5
START_SECONDS = 60
DRAIN_SECONDS = 300


def environment(folder: Path) -> dict[str, str]:
    """A default deployment whose data is in `folder`; untuned: only what would refuse or purge is out of the way.

    A worker purges when it starts: rows that are filled in with a past must still be there when they are measured.
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("BLOOP_", "DATABASE_", "REDIS_"))}
    return {
        **ours,
        "BLOOP__DATABASE__PATH": str(folder / "bloop.db"),
        "BLOOP__AUTH__HMAC_SECRET": KEY,
        "BLOOP__RATE_LIMIT__PER_SECOND": "1000000",
        "BLOOP__RATE_LIMIT__BURST_SIZE": "1000000",
        "BLOOP__RETENTION__RAW_EVENTS_DAYS": "3650",
        "BLOOP__LLM_TRACING__DEFAULT_CONTENT_STORAGE": "full",
        "BLOOP__ALERTING__ALLOW_PRIVATE_ADDRESSES": "true",  # alerts go to the bench itself
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def manage(folder: Path, *arguments: str) -> str:
    """Run a management command on the data in `folder`; its standard output."""
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment(folder), check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def run_module(module: str, folder: Path, **arguments: Any) -> dict[str, Any]:
    """Run one of the bench's own programs on the data in `folder`; the JSON object it prints last."""
    command = [sys.executable, "-m", f"tests.bench.{module}", json.dumps(arguments)]
    done = subprocess.run(command, cwd=ROOT, env=environment(folder), check=True, stdout=subprocess.PIPE, text=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def new_folder(parent: Path, name: str) -> Path:
    """A folder with a migrated, empty database."""
    folder = parent / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    manage(folder, "migrate", "--verbosity", "0")
    return folder


class Server:
    """A program that listens on a port, in a process group of its own."""

    def __init__(self, command: list[str], *, port: int, folder: Path, settings: dict[str, str] | None = None) -> None:
        self.settings = settings or {}
        self.command = command
        self.port = port
        self.folder = folder
        self.output = folder / f"server-{port}.log"
        self.start_seconds = 0.0
        self.stop_seconds = 0.0

    def __enter__(self) -> Self:
        begun = time.perf_counter()
        with self.output.open("w") as output:
            env = {**environment(self.folder), **self.settings}
            self.process = subprocess.Popen(self.command, cwd=ROOT, env=env, stdout=output, stderr=output)
        while not self.answers():
            if self.process.poll() is not None or time.perf_counter() - begun > START_SECONDS:
                self.process.kill()
                raise SystemExit(f"{self.command} does not answer:\n{self.output.read_text()[-2000:]}")
            time.sleep(0.005)
        self.start_seconds = time.perf_counter() - begun
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        begun = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.stop_seconds = time.perf_counter() - begun

    def answers(self) -> bool:
        """Whether `/health` is 200 now."""
        try:
            return get(self.port, "/health")[0] == 200
        except OSError:
            return False

    @property
    def database(self) -> Path:
        return self.folder / "bloop.db"

    def processes(self) -> list[psutil.Process]:
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]


def bloop(folder: Path, *, port: int, **settings: str) -> Server:
    """The real thing: `manage.py serve`, with these settings besides."""
    command = [sys.executable, "manage.py", "serve", "--port", str(port)]
    return Server(command, port=port, folder=folder, settings=settings)


def bare(folder: Path, *, port: int) -> Server:
    """The bare Django view on the same granian with the same flags, threads and processes as `serve` gives it."""
    flags: list[str] = run_module("flags", folder, port=port)["command"]
    return Server([*flags[:-1], "tests.bench.bare:application"], port=port, folder=folder)


def get(port: int, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes, http.client.HTTPMessage]:
    """One GET on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.msg
    except http.client.HTTPException as error:
        raise ConnectionError from error
    finally:
        connection.close()


def sign_in(server: Server) -> str:
    """A session cookie, by the link that `serve` prints."""
    link = re.search(r"/auth/link/(\S+)", server.output.read_text())
    if link is None:
        raise SystemExit("serve printed no sign-in link")
    path = f"/auth/link/{link.group(1)}"
    _, page, headers = get(server.port, path)
    form_token = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    cookie = (headers["Set-Cookie"] or "").partition(";")[0]
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(
        "POST", path, headers={"Cookie": cookie, "X-CSRFToken": form_token.group(1).decode() if form_token else ""}
    )
    answer = connection.getresponse()
    answer.read()
    found = re.search(r"\bsession=[^;]+", " ".join(answer.msg.get_all("Set-Cookie") or []))
    connection.close()
    if found is None:
        raise SystemExit(f"signing in was answered {answer.status}")
    return found.group()


def send(load: Load) -> Outcome:
    """Run the load generator to its end."""
    return outcome_of(start_sending(load))


def start_sending(load: Load) -> "subprocess.Popen[str]":
    """Start the load generator; it is at work when this returns, and ends by itself."""
    command = [sys.executable, "-m", "tests.bench.load"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(asdict(load)) + "\n")
    process.stdin.flush()
    process.stdout.readline()  # "ready": its requests are signed
    process.stdin.write("go\n")
    process.stdin.flush()
    return process


def outcome_of(process: "subprocess.Popen[str]") -> Outcome:
    """Wait for the load generator's end."""
    answer, _ = process.communicate()
    if process.returncode:
        raise SystemExit("the load generator failed")
    return Outcome(**json.loads(answer))


def reader(database: Path) -> sqlite3.Connection:
    """A connection that only reads."""
    return sqlite3.connect(f"file:{database}?mode=ro", uri=True)


def wait_until_folded(database: Path) -> None:
    """Return when the buffer is empty."""
    ends = time.monotonic() + DRAIN_SECONDS
    with reader(database) as connection:
        while connection.execute("SELECT 1 FROM ingest_bufferedpayload LIMIT 1").fetchone():
            if time.monotonic() > ends:
                raise SystemExit("the backlog does not drain")
            time.sleep(0.01)


def stored_events(database: Path) -> int:
    """The events in the table; raises if the issues' counters say something else, or anything was buried."""
    with reader(database) as connection:
        stored = int(connection.execute("SELECT count(*) FROM errors_event").fetchone()[0])
        counted = int(connection.execute("SELECT coalesce(sum(total_count), 0) FROM errors_issue").fetchone()[0])
        buried = int(connection.execute("SELECT count(*) FROM ingest_deadpayload").fetchone()[0])
    if counted != stored or buried:
        raise SystemExit(f"{stored} events stored, {counted} counted, {buried} buried")
    return stored


@dataclass
class Usage:
    """What a server's processes used together: CPU seconds between enter and exit, the most memory seen, in MB."""

    server: Server
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0

    def __enter__(self) -> Self:
        self.before = cpu_seconds(self.server.processes())
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()
        self.cpu_seconds = cpu_seconds(self.server.processes()) - self.before

    def watch(self) -> None:
        while True:
            self.peak_mb = max(self.peak_mb, pss_mb(self.server.processes()))
            if self.done.wait(SAMPLE_SECONDS):
                return


def cpu_seconds(processes: list[psutil.Process]) -> float:
    """User and system time spent so far by these processes and their children that ended."""
    total = 0.0
    for process in processes:
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return total


def pss_mb(processes: list[psutil.Process]) -> float:
    """Memory in MB, shared pages divided among those who share them; where the system cannot say, resident memory."""
    total = 0
    for process in processes:
        try:
            text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
            total += 1024 * int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE).group(1))  # type: ignore[union-attr]
        except FileNotFoundError:
            total += process.memory_info().rss if process.is_running() and not Path("/proc/self").exists() else 0
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue
    return total / 1e6
