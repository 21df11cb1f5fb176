"""A whole Bloop for a journey: its own data folder and database, every process real, stopped and looked after."""

import contextlib
import hashlib
import hmac
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import psutil
import psycopg

from bloop_site.lib.clock import HOUR_MS, MINUTE_MS, now_ms

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 180.0  # patience on a busy machine; how fast it really is, `make bench` says
STOP_SECONDS = 8.0  # a promise (design.md 2)
PATIENCE = 90.0
PAGE = 200
Found = TypeVar("Found")


def event(**fields: Any) -> dict[str, Any]:
    """An event as a client sends it."""
    return {
        "source": "api",
        "environment": "production",
        "release": "1.4.0",
        "error_type": "TypeError",
        "message": "it broke",
        **fields,
    }


def signed(body: bytes, key: str) -> dict[str, str]:
    """The headers that say who sends `body`."""
    return {"X-Project-Key": key, "X-Signature": hmac.new(key.encode(), body, hashlib.sha256).hexdigest()}


def free_port() -> int:
    """A loopback port below those the kernel gives to outgoing connections: none takes it between two starts."""
    while True:
        port = 12_000 + secrets.randbelow(18_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_until(look: Callable[[], Found | None], *, what: str, seconds: float = PATIENCE) -> Found:
    """The first true thing `look` returns."""
    ends = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > ends:
            msg = f"waited {seconds:.0f} s in vain: {what}"
            raise AssertionError(msg)
        time.sleep(0.05)
    return found


def await_room_in_the_hour(*, minutes: int = 2) -> None:
    """Before what stands by the hour, day or month is sent: if this hour is nearly over, wait for the next."""
    left_ms = HOUR_MS - now_ms() % HOUR_MS
    if left_ms < minutes * MINUTE_MS:
        time.sleep(left_ms / 1000 + 0.1)


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


# --- Where it keeps its data ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def database(*, template: str | None = None) -> Iterator[str | None]:
    """The URL of a new database on the PostgreSQL of DATABASE_URL, dropped afterwards; None where SQLite is tested."""
    url = os.environ.get("DATABASE_URL")
    if not url:
        yield None
        return
    name = f"journey_{secrets.token_hex(6)}"
    source = f" TEMPLATE {urlsplit(template).path.lstrip('/')}" if template else ""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}{source}")
        try:
            yield urlsplit(url)._replace(path=f"/{name}").geturl()
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@dataclass(frozen=True)
class Home:
    """A data folder and, on PostgreSQL, a database, with the project `shop` and what it takes to talk to it."""

    folder: Path
    database_url: str | None
    project: dict[str, Any] = field(default_factory=dict)
    token: str = ""

    def environment(self, *, port: int = 5332, **settings: str) -> dict[str, str]:
        """The environment of its processes: nothing of ours that configures Bloop leaks in."""
        ours = ("BLOOP", "DATABASE_URL", "REDIS_URL", "RUST_LOG", "PYTEST", "DJANGO_SETTINGS_MODULE")
        env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        env |= {
            "BLOOP__DATABASE__PATH": str(self.folder / "bloop.db"),
            "BLOOP__AUTH__RP_ORIGIN": f"http://localhost:{port}",
            "BLOOP__RATE_LIMIT__PER_SECOND": "100000",
            "BLOOP__RATE_LIMIT__BURST_SIZE": "100000",
            "BLOOP__RATE_LIMIT__AUTH_PER_SECOND": "100",
            "BLOOP__RATE_LIMIT__AUTH_BURST_SIZE": "100",
            "PYTHONWARNINGS": "default",
        }
        if self.database_url:
            env["DATABASE_URL"] = self.database_url
        return env | settings

    def manage(self, *words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run `manage.py WORDS` to its end."""
        argv = [sys.executable, "manage.py", *words]
        chosen = env or self.environment()
        return subprocess.run(
            argv, cwd=ROOT, env=chosen, capture_output=True, text=True, timeout=START_SECONDS, check=False
        )

    def manage_json(self, *words: str, env: dict[str, str] | None = None) -> dict[str, Any]:
        """Run a command that prints one JSON object."""
        done = self.manage(*words, env=env)
        assert done.returncode == 0, done.stderr
        printed: dict[str, Any] = json.loads(done.stdout)
        return printed

    def query(self, sql: str) -> Any:
        """The one value that `sql` finds, read past every part of ours."""
        if self.database_url:
            with psycopg.connect(self.database_url) as connection:
                row = connection.execute(sql.encode()).fetchone()
        else:
            with contextlib.closing(sqlite3.connect(self.folder / "bloop.db")) as connection:
                row = connection.execute(sql).fetchone()
        assert row is not None
        return row[0]

    def can_write(self) -> bool:
        """Whether nobody is in the midst of a write, which on SQLite holds all others up."""
        if not self.database_url:
            with contextlib.closing(sqlite3.connect(self.folder / "bloop.db", timeout=0.5)) as connection:
                try:
                    connection.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError:
                    return False
        return True


@contextlib.contextmanager
def furnished_home(folder: Path) -> Iterator[Home]:
    """A migrated home with a project and a token; made once, then copied, because each command takes a second."""
    with database() as url:
        bare = Home(folder, url)
        migrated = bare.manage("migrate", "--noinput", "--verbosity", "0")
        assert migrated.returncode == 0, migrated.stderr
        project = bare.manage_json("createproject", "Shop", "--slug", "shop")
        token = bare.manage_json("createtoken", "shop", "--name", "journey", "--scopes", "errors:read,errors:write")
        yield Home(folder, url, project, token["token"])


@contextlib.contextmanager
def copied_home(original: Home, folder: Path) -> Iterator[Home]:
    """Another home with the same furniture."""
    shutil.copytree(original.folder, folder, dirs_exist_ok=True)
    with database(template=original.database_url) as url:
        yield Home(folder, url, original.project, original.token)


# --- The server -------------------------------------------------------------------------------------------------------


@dataclass
class Server:
    """`manage.py serve` on a home, as a client, a browser and an operator see it."""

    home: Home
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None
    cookie: str = ""

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        return self.home.environment(port=self.port, **self.settings)

    @property
    def key(self) -> str:
        return str(self.home.project["api_key"])

    @property
    def output(self) -> str:
        """Everything its processes have printed since the first start."""
        return (self.home.folder / "output").read_text(errors="replace")

    # --- starting and stopping

    def launch(self) -> None:
        """Start it in a session of its own, without waiting."""
        argv = [sys.executable, "manage.py", "serve", "--host", "127.0.0.1", "--port", str(self.port)]
        with (self.home.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                argv,
                cwd=ROOT,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def start(self) -> None:
        """Start it and wait for /health."""
        self.launch()
        self.wait_for_health()

    def wait_for_health(self) -> None:
        wait_until(self.is_healthy, what=f"/health\n{self.output}", seconds=START_SECONDS)

    def is_healthy(self) -> bool:
        assert self.running.poll() is None, f"serve ended with {self.running.returncode}:\n{self.output}"
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.request("GET", "/health", timeout=5).status == 200
        return False

    @property
    def running(self) -> "subprocess.Popen[bytes]":
        assert self.process is not None, "not started"
        return self.process

    def stop(self, number: int = signal.SIGTERM, *, whole_group: bool = False) -> None:
        """Ask it to stop, as `kill` does or as Ctrl-C in a terminal; it must be gone, all of it, in 8 seconds."""
        began = time.monotonic()
        (os.killpg if whole_group else os.kill)(self.running.pid, number)
        try:
            code = self.running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            left = [process.cmdline() for process in self.processes()]
            self.kill_all()
            msg = f"still there after {STOP_SECONDS:.0f} s: {left}\n{self.output}"
            raise AssertionError(msg) from None
        assert code == 0, self.output
        left_seconds = max(0.2, STOP_SECONDS - (time.monotonic() - began))
        wait_until(lambda: not self.processes(), what="a process outlived its supervisor", seconds=left_seconds)

    def kill_all(self) -> None:
        """SIGKILL to every process at once: the power cut. Nothing to do after a stop."""
        if self.process is None or (self.process.poll() is not None and not self.processes()):
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.running.pid, signal.SIGKILL)
        self.running.wait()

    def processes(self) -> list[psutil.Process]:
        """The living processes of its process group."""
        return [process for process in psutil.process_iter() if self.is_ours(process)]

    def is_ours(self, process: psutil.Process) -> bool:
        try:
            return os.getpgid(process.pid) == self.running.pid and process.status() != psutil.STATUS_ZOMBIE
        except (ProcessLookupError, psutil.NoSuchProcess):
            return False

    def find(self, role: str) -> psutil.Process | None:
        """The living process that is `web` (granian's main), `web worker` (its child) or `worker` (Celery)."""
        module, below = {"web": ("granian", 1), "web worker": ("granian", 2), "worker": ("celery", 1)}[role]
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                words, above = process.cmdline(), [parent.pid for parent in process.parents()]
                is_child = self.running.pid in above[below - 1 : below]
                if is_child and (below == 2 or module in words):
                    return process
        return None

    @contextlib.contextmanager
    def worker_asleep(self) -> Iterator[None]:
        """The worker stands still, as if busy elsewhere; never in the midst of a write, for that stops the web."""
        worker = wait_until(lambda: self.find("worker"), what="the worker")

        def is_between_writes() -> bool:
            worker.suspend()
            if self.home.can_write():
                return True
            worker.resume()
            return False

        wait_until(is_between_writes, what="the worker between two writes")
        try:
            yield
        finally:
            worker.resume()

    # --- talking to it

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        *,
        timeout: float = PATIENCE,
        **options: Any,
    ) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {}, **options)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def post(self, path: str, value: Any, **headers: str) -> Answer:
        """POST `value` as signed JSON."""
        body = json.dumps(value).encode()
        return self.request("POST", path, body, {**signed(body, self.key), **headers})

    def send(self, **fields: Any) -> None:
        """Deliver one event, which must be taken."""
        answer = self.post("/v1/ingest", event(**fields))
        assert (answer.status, answer.body) == (200, b'{"status":"accepted"}')

    def get(self, path: str, **query: str | int) -> Answer:
        """GET from the API with the token; it must be there."""
        target = f"{path}?{urlencode(query)}" if query else path
        answer = self.request("GET", target, headers={"Authorization": f"Bearer {self.home.token}"})
        assert answer.status == 200, answer.body
        return answer

    def counts(self) -> dict[str, int]:
        """Events of every issue, by fingerprint, read page by page through the API."""
        counts: dict[str, int] = {}
        total = 1
        offset = 0
        while offset < total:
            page = self.get("/v1/errors", group="issue", sort="first_seen", limit=PAGE, offset=offset)
            total = int(page.headers["X-Total-Count"])
            counts |= {row["fingerprint"]: row["total_count"] for row in page.json}
            offset += PAGE
        assert len(counts) == total
        return counts

    def stored(self) -> int:
        """How many issues there are."""
        return int(self.get("/v1/errors", group="issue", limit=1).headers["X-Total-Count"])

    def found(self, text: str) -> list[dict[str, Any]]:
        """The issues whose type or message holds `text`."""
        rows: list[dict[str, Any]] = self.get("/v1/errors", group="issue", q=text).json
        return rows

    def wait_for(self, text: str, *, count: int = 1) -> dict[str, Any]:
        """The one issue whose type or message holds `text`, once it has `count` events."""

        def look() -> dict[str, Any] | None:
            rows = self.found(text)
            return rows[0] if len(rows) == 1 and rows[0]["total_count"] == count else None

        found = wait_until(look, what=f"{count} of {text!r} to be visible, found {self.found(text)}")
        assert found is not None
        return found

    def detail(self, fingerprint: str) -> dict[str, Any]:
        """The API's detail of an issue."""
        found: dict[str, Any] = self.get(f"/v1/errors/{quote(fingerprint, safe='')}").json
        return found

    def ready(self) -> dict[str, Any]:
        """What /health/ready says, in either state."""
        said: dict[str, Any] = self.request("GET", "/health/ready").json
        return said

    def wait_until_drained(self) -> None:
        """Wait until nothing is left between accepted and visible; nothing may have been buried on the way."""

        def is_empty() -> bool:
            said = self.ready()
            return bool(said["db_ok"]) and said["oldest_unflushed_ms"] == 0 and said["buffer_usage"] == 0

        wait_until(lambda: is_empty() and is_empty(), what="the buffer to drain")
        assert self.ready()["dead_letters"] == 0

    # --- a person

    def sign_in_link(self) -> str:
        """A one-time link: the printed one for the first person, then one from `loginlink`."""
        printed = re.findall(rf"{self.origin}/auth/link/[\w-]+", self.output)[-1]
        if self.request("GET", printed.removeprefix(self.origin)).status == 200:
            return str(printed)
        return str(self.home.manage_json("loginlink", "admin", env=self.env)["url"])

    def sign_in(self) -> None:
        """Sign in as a plain HTTP client does: open the link, send its form, keep the cookie."""
        path = self.sign_in_link().removeprefix(self.origin)
        page = self.request("GET", path)
        form_token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        csrf_cookie = re.search(r"csrftoken=\w+", page.headers["Set-Cookie"])
        assert form_token is not None
        assert csrf_cookie is not None
        form = urlencode({"csrfmiddlewaretoken": form_token.group(1)})
        headers = {"Cookie": csrf_cookie.group(), "Content-Type": "application/x-www-form-urlencoded"}
        answer = self.request("POST", path, form, headers)
        cookies = " ".join(answer.headers.get_all("Set-Cookie") or [])
        session = re.search(r"session=[^;]+", cookies)
        assert (answer.status, session is not None) == (302, True)
        assert session is not None
        self.cookie = session.group()

    def page(self, path: str) -> str:
        """A page as the signed-in person gets it."""
        if not self.cookie:
            self.sign_in()
        answer = self.request("GET", path, headers={"Cookie": self.cookie})
        assert answer.status == 200, answer.status
        return answer.text


@contextlib.contextmanager
def serving(home: Home, **settings: str) -> Iterator[Server]:
    """A started server; at the end it is stopped by SIGTERM, unless the journey ended it, and must go in 8 seconds."""
    server = Server(home, settings)
    try:
        server.start()
        yield server
        if server.running.poll() is None:
            server.stop()
    finally:
        server.kill_all()
