import io
import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_started
from django.db import connection
from django.test import RequestFactory

from bloop_site.lib.turn import WriteTurn, write_turn
from bloop_site.transport import Transport
from bloop_site.wsgi import application as served
from errors.contract import decode_events
from ingest import lane as lane_module
from ingest.lane import Lane
from ingest.models import BufferedPayload
from ingest.nudge import nudge
from projects.models import IngestKey
from tests.factories import event_json, make_project, regroup, sign
from tests.ingest.conftest import Wire, at_once
from tests.wsgi import Answer, connections_kept

PATIENCE = 20
THREADS = 16
EACH = 5
STORAGE_AWAY = {"error": "storage is unavailable, try again later"}


def body_of(name: str, *, events: int = 1) -> bytes:
    """An event named by its request_id, or a batch of events of that name."""
    each = event_json(request_id=name)
    return json.dumps(each if events == 1 else {"events": [each] * events}).encode()


def post(app: Any, body: bytes, *, key: str, path: str = "/v1/ingest", stream: Any = None, **environ: str) -> Answer:
    """One signed request through WSGI, as the server's thread hands it over."""
    whole = RequestFactory().post("/", data=b"", content_type="application/json").environ
    whole |= {
        "PATH_INFO": path,
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_X_SIGNATURE": sign(body, key),
        "HTTP_X_PROJECT_KEY": key,
        "wsgi.input": stream or io.BytesIO(body),
        **environ,
    }
    said: list[Any] = []
    parts = app(whole, lambda status, headers, *_: said.extend((status, headers)))
    content = b"".join(parts)
    if close := getattr(parts, "close", None):
        close()
    return Answer(int(said[0].split()[0]), {name.lower(): value for name, value in said[1]}, content)


def names_kept() -> list[str]:
    """The request_id of every event in the buffer."""
    bodies = BufferedPayload.objects.order_by("pk").values_list("body", flat=True)
    return [str(event.request_id) for body in bodies for event in decode_events(bytes(body))]


def wait_until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.002)


class Started:
    """Calls under way, in a thread each; `results` waits for them."""

    def __init__(self, calls: Sequence[Callable[[], Any]]) -> None:
        self.answers: list[Any] = []
        self.thread = threading.Thread(target=lambda: self.answers.extend(at_once(calls)))
        self.thread.start()

    def results(self) -> list[Any]:
        self.thread.join(PATIENCE)
        return self.answers


class Hold:
    """Holds the lane up at a statement until it is let go."""

    def __init__(self, wire: Wire, *, at: Callable[[str, Any], bool]) -> None:
        self.at, self.reached, self.go = at, threading.Event(), threading.Event()
        self.next = wire.before
        wire.before = self

    def __call__(self, sql: str, parameters: Any) -> None:
        self.next(sql, parameters)
        if not self.go.is_set() and self.at(sql, parameters):
            self.reached.set()
            assert self.go.wait(PATIENCE)


def asks_for(key: str) -> Callable[[str, Any], bool]:
    """Whether a statement looks up the owner of `key`."""
    return lambda sql, parameters: (
        "FROM projects_ingestkey" in sql and sql.strip()[:6] == "SELECT" and key in parameters
    )


def keeps(sql: str, parameters: Any) -> bool:
    return sql.startswith("INSERT INTO ingest_bufferedpayload")


@pytest.fixture
def one_group(lane: Lane, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Started]:
    """Starts requests that the lane answers as one group: they gather behind one that it is held up with."""
    monkeypatch.setattr(lane_module, "GROUP_SECONDS", PATIENCE)

    def start(calls: Sequence[Callable[[], Any]]) -> Started:
        hold = Hold(wire, at=asks_for("bloop_hold"))
        Started([partial(post, lane, body_of("hold"), key="bloop_hold")])
        assert hold.reached.wait(PATIENCE)
        started = Started(calls)
        wait_until(lambda: lane.jobs.qsize() == len(calls))
        hold.go.set()
        return started

    return start


# --- Answers together, each its own ---------------------------------------------------------------------------------


def test_many_threads_at_once_get_each_its_own_answer_and_none_before_its_commit(
    lane: Lane, wire: Wire, together: Callable[..., list[Any]]
) -> None:
    shop = make_project()

    def send(number: int) -> list[tuple[int, Any, bool]]:
        seen = []
        for each in range(EACH):
            count = 1 + number % 3
            name = f"{number}:{each}"
            path = "/v1/ingest" if count == 1 else "/v1/ingest/batch"
            answer = post(lane, body_of(name, events=count), key=shop.api_key, path=path)
            seen.append((answer.status, answer.json(), names_kept().count(name) == count))
        return seen

    results = together([partial(send, number) for number in range(THREADS)])

    for number, seen in enumerate(results):
        batch = {"accepted": 1 + number % 3, "dropped": 0, "errors": []}
        assert seen == [(200, {"status": "accepted"} if number % 3 == 0 else batch, True)] * EACH
    assert sorted(names_kept()) == sorted(
        f"{number}:{each}" for number in range(THREADS) for each in range(EACH) for _ in range(1 + number % 3)
    )
    assert 0 < wire.transactions < THREADS * EACH


def test_no_answer_leaves_before_the_commit_of_its_group_and_then_all_do(
    lane: Lane, wire: Wire, one_group: Callable[..., Started]
) -> None:
    shop = make_project()
    hold = Hold(wire, at=keeps)

    started = one_group([partial(post, lane, body_of(str(n)), key=shop.api_key) for n in range(THREADS)])

    assert hold.reached.wait(PATIENCE)
    time.sleep(0.05)
    assert (started.answers, names_kept()) == ([], [])
    hold.go.set()
    assert [answer.status for answer in started.results()] == [200] * THREADS
    assert sorted(names_kept()) == sorted(map(str, range(THREADS)))
    assert wire.transactions == 1


def test_a_lone_request_waits_for_no_company(lane: Lane, wire: Wire) -> None:
    shop = make_project()

    answers = [post(lane, body_of(str(number)), key=shop.api_key) for number in range(3)]

    assert [answer.status for answer in answers] == [200] * 3
    assert wire.transactions == 3


def test_more_than_a_group_holds_are_several(
    lane: Lane, wire: Wire, one_group: Callable[..., Started], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "MAX_GROUP", 5)
    shop = make_project()

    started = one_group([partial(post, lane, body_of(str(number)), key=shop.api_key) for number in range(12)])

    assert [answer.status for answer in started.results()] == [200] * 12
    assert len(names_kept()) == 12
    assert wire.transactions == 3  # the held one and 4, 5, 3


@pytest.mark.sqlite
def test_requests_gather_while_another_process_writes_and_are_committed_once_it_has_done(
    lane: Lane, wire: Wire
) -> None:
    shop = make_project()
    assert post(lane, body_of("before"), key=shop.api_key).status == 200

    with write_turn:
        started = Started([partial(post, lane, body_of(str(n)), key=shop.api_key) for n in range(4)])
        time.sleep(0.2)
        assert (started.answers, names_kept()) == ([], ["before"])

    assert [answer.status for answer in started.results()] == [200] * 4
    assert (wire.transactions, len(names_kept())) == (2, 5)


# --- Refused among the good -----------------------------------------------------------------------------------------


def test_a_key_revoked_while_it_is_known_is_401_and_its_neighbours_are_kept_once(
    lane: Lane, wire: Wire, one_group: Callable[..., Started]
) -> None:
    shop, gone = make_project(), make_project()
    for project in (shop, gone):
        assert post(lane, body_of("known"), key=project.api_key).status == 200
    IngestKey.objects.filter(key=gone.api_key).delete()
    before = wire.transactions

    senders = [shop, gone, shop, gone, shop]
    started = one_group([partial(post, lane, body_of(str(n)), key=each.api_key) for n, each in enumerate(senders)])

    answers = started.results()
    assert [answer.status for answer in answers] == [200, 401, 200, 401, 200]
    assert answers[1].json() == {"error": "invalid project key"}
    assert answers[1].headers["access-control-allow-origin"] == "*"
    assert sorted(names_kept()) == ["0", "2", "4", "known", "known"]
    assert set(BufferedPayload.objects.values_list("project_id", flat=True)[2:]) == {shop.project.pk}
    assert wire.transactions == before + 1


def test_a_project_regrouped_while_its_key_is_known_is_kept_once_grouped_its_new_way(
    lane: Lane, one_group: Callable[..., Started]
) -> None:
    shop, other = make_project(), make_project()
    for project in (shop, other):
        assert post(lane, body_of("known"), key=project.api_key).status == 200
    regroup(shop.project, "v2")

    started = one_group(
        [partial(post, lane, body_of(str(n)), key=each.api_key) for n, each in enumerate([other, shop, shop])]
    )

    assert [answer.status for answer in started.results()] == [200] * 3
    assert sorted(names_kept()) == ["0", "1", "2", "known", "known"]
    bodies = BufferedPayload.objects.filter(project_id=shop.project.pk).order_by("pk").values_list("body", flat=True)
    prints = [event.fingerprint for body in bodies for event in decode_events(bytes(body))]
    assert (len(prints), len(set(prints)), prints[1]) == (3, 2, prints[2])


def test_a_bad_body_is_400_alone(lane: Lane, one_group: Callable[..., Started]) -> None:
    shop = make_project()
    bodies = [body_of("a"), b"not json", body_of("b")]

    started = one_group([partial(post, lane, body, key=shop.api_key) for body in bodies])

    assert [answer.status for answer in started.results()] == [200, 400, 200]
    assert sorted(names_kept()) == ["a", "b"]


def test_a_view_that_raises_is_500_only_for_its_request(
    lane: Lane, wire: Wire, one_group: Callable[..., Started]
) -> None:
    shop, cursed = make_project(), make_project()
    fails = asks_for(cursed.api_key)

    def break_down(sql: str, parameters: Any) -> None:
        if fails(sql, parameters):
            raise ValueError("a bug")

    wire.before = break_down

    senders = [shop, cursed, shop]
    started = one_group([partial(post, lane, body_of(str(n)), key=each.api_key) for n, each in enumerate(senders)])

    answers = started.results()
    assert [answer.status for answer in answers] == [200, 500, 200]
    assert "error" in answers[1].json()
    assert sorted(names_kept()) == ["0", "2"]
    wire.before = lambda *_: None
    assert post(lane, body_of("3"), key=cursed.api_key).status == 200


# --- The database fails ---------------------------------------------------------------------------------------------


BUFFER = "ingest_bufferedpayload"
BREAK = {  # when, on which database: how to break it, and how to mend it
    ("at one row", "sqlite"): (
        f"CREATE TRIGGER broken BEFORE INSERT ON {BUFFER} WHEN NEW.items = 3 BEGIN SELECT RAISE(ABORT, 'no'); END",
        "DROP TRIGGER broken",
    ),
    ("at one row", "postgresql"): (
        f"ALTER TABLE {BUFFER} ADD CONSTRAINT broken CHECK (items <> 3) NOT VALID",
        f"ALTER TABLE {BUFFER} DROP CONSTRAINT broken",
    ),
    ("at its end", "sqlite"): (
        f"""CREATE TABLE broken (id TEXT REFERENCES projects_project (id) DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER breaks AFTER INSERT ON {BUFFER} BEGIN INSERT INTO broken VALUES ('nobody'); END""",
        "DROP TRIGGER breaks; DROP TABLE broken",
    ),
    ("at its end", "postgresql"): (
        f"""CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
        CREATE CONSTRAINT TRIGGER breaks AFTER INSERT ON {BUFFER} DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION broken()""",
        f"DROP TRIGGER breaks ON {BUFFER}; DROP FUNCTION broken",
    ),
}


@contextmanager
def broken(when: str) -> Iterator[None]:
    """The database refuses what is kept: a row of three items, or everything, only when it is committed."""
    begin, end = BREAK[when, connection.vendor]
    run(begin)
    try:
        yield
    finally:
        run(end)


def run(script: str) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.executescript(script)
        else:
            cursor.execute(script)


@pytest.mark.parametrize("when", ["at one row", "at its end"])
def test_a_commit_that_fails_is_503_for_its_whole_group_and_afterwards_all_works_again(
    when: str, lane: Lane, one_group: Callable[..., Started]
) -> None:
    shop = make_project()
    batch = partial(post, lane, body_of("batch", events=3), key=shop.api_key, path="/v1/ingest/batch")
    calls = [*(partial(post, lane, body_of(str(number)), key=shop.api_key) for number in range(5)), batch]

    with broken(when):
        failed = one_group(calls).results()
        alone = batch()

    assert [answer.status for answer in [*failed, alone]] == [503] * 7
    for answer in failed:
        assert answer.json() == STORAGE_AWAY
        assert int(answer.headers["retry-after"]) > 0
    assert names_kept() == []
    again = at_once(calls)
    assert [answer.status for answer in again] == [200] * 6
    assert sorted(names_kept()) == ["0", "1", "2", "3", "4", "batch", "batch", "batch"]


def test_a_database_that_is_away_is_503_for_each_until_it_is_back(lane: Lane) -> None:
    shop = make_project()
    calls = [partial(post, lane, body_of(str(number)), key=shop.api_key) for number in range(4)]

    run("ALTER TABLE ingest_bufferedpayload RENAME TO away")
    try:
        failed = at_once(calls)
    finally:
        run("ALTER TABLE away RENAME TO ingest_bufferedpayload")

    assert [(answer.status, answer.json()) for answer in failed] == [(503, STORAGE_AWAY)] * 4
    assert [answer.status for answer in at_once(calls)] == [200] * 4
    assert len(names_kept()) == 4


# --- The lane itself fails ------------------------------------------------------------------------------------------


@pytest.mark.sqlite
def test_a_turn_that_cannot_be_opened_is_an_error_for_those_who_wait_and_the_lane_goes_on(
    lane: Lane, own_turn: Path
) -> None:
    shop = make_project()
    calls = [partial(post, lane, body_of(str(number)), key=shop.api_key) for number in range(4)]
    own_turn.rmdir()

    failed = at_once(calls)

    assert [type(error) for error in failed] == [FileNotFoundError] * 4
    assert names_kept() == []
    own_turn.mkdir()
    assert [answer.status for answer in at_once(calls)] == [200] * 4
    assert len(names_kept()) == 4


@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
def test_whatever_the_lane_fails_with_is_an_error_for_those_who_wait_and_the_lane_goes_on(
    error: type[BaseException], lane: Lane
) -> None:
    shop = make_project()

    def fail(**_: Any) -> None:
        raise error

    request_started.connect(fail, sender=Lane)
    try:
        with pytest.raises(error):
            post(lane, body_of("a"), key=shop.api_key)
    finally:
        request_started.disconnect(fail, sender=Lane)

    assert post(lane, body_of("b"), key=shop.api_key).status == 200
    assert names_kept() == ["b"]


# --- Bodies: read where they keep nobody else -----------------------------------------------------------------------


class Slow(io.BytesIO):
    """A body that arrives when it is told to, or breaks off."""

    def __init__(self, body: bytes = b"", *, error: Exception | None = None) -> None:
        super().__init__(body)
        self.error, self.asked, self.go = error, threading.Event(), threading.Event()

    def read(self, size: int | None = -1) -> bytes:
        self.asked.set()
        assert self.go.wait(PATIENCE)
        if self.error:
            raise self.error
        return super().read(size)


@pytest.mark.parametrize(
    ("arrives", "error", "status"), [(100, None, 200), (50, None, 400), (0, OSError("the client went away"), 400)]
)
def test_a_body_that_is_slow_or_breaks_off_holds_nobody_else_up(
    arrives: int, error: Exception | None, status: int, lane: Lane
) -> None:
    shop = make_project()
    body = body_of("slow")
    stream = Slow(body[: len(body) * arrives // 100], error=error)

    slow = Started([partial(post, lane, body, key=shop.api_key, stream=stream)])
    assert stream.asked.wait(PATIENCE)
    others = at_once([partial(post, lane, body_of(str(number)), key=shop.api_key) for number in range(4)])

    assert [answer.status for answer in others] == [200] * 4
    assert slow.answers == []
    stream.go.set()
    assert [answer.status for answer in slow.results()] == [status]
    assert sorted(names_kept()) == ["0", "1", "2", "3"] + (["slow"] if status == 200 else [])


LONGEST = settings.BLOOP.ingest.max_batch_bytes


@pytest.mark.parametrize(
    ("path", "length", "status"),
    [
        ("/v1/ingest", "32769", 413),
        ("/v1/ingest/batch", str(LONGEST + 1), 413),
        ("/v1/ingest/batch", "9" * 18, 413),
        ("/v1/ingest/batch", "9" * 19, 400),
        ("/v1/ingest/batch", "-1", 400),
        ("/v1/ingest/nowhere", str(LONGEST + 1), 413),
    ],
)
def test_a_body_announced_too_long_is_refused_unread_outside_the_lane(
    path: str, length: str, status: int, lane: Lane
) -> None:
    shop = make_project()
    stream = Slow()

    with connections_kept():
        answer = post(lane, b"x", key=shop.api_key, path=path, stream=stream, CONTENT_LENGTH=length)

    assert answer.status == status
    assert answer.json()["error"]
    assert (stream.asked.is_set(), lane.thread) == (False, None)


# --- Who goes through the lane --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/health", "/v1/errors", "/auth/login", "/static/css/tokens.css", "/"])
def test_what_is_no_ingest_never_enters_the_lane(path: str, lane: Lane) -> None:
    environ = {"REQUEST_METHOD": "GET", "CONTENT_LENGTH": ""}

    with connections_kept():
        answer = post(lane, b"", key="bloop_none", path=path, **environ)

    assert answer.status < 500
    assert lane.thread is None


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("OPTIONS", "/v1/ingest", 204), ("GET", "/v1/ingest", 405), ("POST", "/v1/ingest/nowhere", 404)],
)
def test_odd_requests_to_ingest_are_answered_by_the_lane_with_their_headers(
    method: str, path: str, status: int, lane: Lane
) -> None:
    answer = post(
        lane,
        b"",
        key="bloop_none",
        path=path,
        REQUEST_METHOD=method,
        HTTP_ACCESS_CONTROL_REQUEST_METHOD="POST",
    )

    assert answer.status == status
    assert answer.headers["access-control-allow-origin"] == "*"
    assert lane.thread is not None


def test_the_site_is_served_through_the_lane() -> None:
    assert isinstance(served, Transport)
    assert isinstance(served.application, Lane)
    assert isinstance(served.application.handler, WSGIHandler)


# --- The turn to write ----------------------------------------------------------------------------------------------

HOLDER = """
import sys
from pathlib import Path
from django.conf import settings
settings.configure(
    DATA_FOLDER=Path(sys.argv[1]), DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
)
from bloop_site.lib.turn import write_turn
"""
HOLD_UNTIL_TOLD = f"""{HOLDER}
with write_turn:
    print("mine", flush=True)
    sys.stdin.readline()
print("yours", flush=True)
sys.stdin.readline()
"""
COUNT = f"""{HOLDER}
import time
counter = settings.DATA_FOLDER / "counter"
for _ in range(100):
    with write_turn:
        value = int(counter.read_text())
        time.sleep(0.0002)
        counter.write_text(str(value + 1))
"""


def another_process(script: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(folder)],
        cwd=settings.BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def holder(own_turn: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process, which has the turn."""
    with another_process(HOLD_UNTIL_TOLD, own_turn) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "mine\n"
            yield process
        finally:
            process.kill()


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.sqlite
def test_while_another_process_has_the_turn_it_is_not_taken_and_taken_once_it_is_given_up(
    holder: subprocess.Popen[str],
) -> None:
    turn = WriteTurn()
    assert [turn.take(wait=False), turn.take(wait=False)] == [False, False]

    waiting = Started([turn.take])
    time.sleep(0.05)
    assert waiting.answers == []
    tell(holder)

    assert waiting.results() == [True]
    turn.give_up()
    assert turn.take(wait=False)
    turn.give_up()


@pytest.mark.sqlite
def test_a_process_that_is_killed_gives_the_turn_up(holder: subprocess.Popen[str]) -> None:
    turn = WriteTurn()
    assert not turn.take(wait=False)

    holder.kill()

    assert turn.take()
    turn.give_up()


@pytest.mark.sqlite
def test_two_processes_that_take_turns_never_write_at_once(own_turn: Path) -> None:
    (own_turn / "counter").write_text("0")

    with another_process(COUNT, own_turn) as first, another_process(COUNT, own_turn) as second:
        assert [first.wait(PATIENCE), second.wait(PATIENCE)] == [0, 0]

    assert (own_turn / "counter").read_text() == "200"


@pytest.mark.sqlite
def test_two_threads_of_one_process_take_turns_too(own_turn: Path) -> None:
    turn = WriteTurn()
    with turn:
        assert at_once([partial(turn.take, wait=False)] * 2) == [False, False]
        waiting = Started([turn.take])
        time.sleep(0.05)
        assert waiting.answers == []

    assert waiting.results() == [True]
    turn.give_up()


@pytest.mark.sqlite
def test_who_is_in_no_hurry_does_not_queue_for_the_turn_but_asks_again(
    own_turn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn, another = WriteTurn(), WriteTurn()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            another.give_up()

    monkeypatch.setattr("bloop_site.lib.turn.time.sleep", sleep)
    another.take()

    with turn.when_free(seconds=60):
        assert len(slept) == 3
        assert not another.take(wait=False)

    assert another.take(wait=False)
    another.give_up()


@pytest.mark.sqlite
def test_who_has_been_patient_for_long_enough_queues_as_everybody_does(
    own_turn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn, another, slept = WriteTurn(), WriteTurn(), list[float]()
    another.take()

    def work() -> bool:
        with turn.when_free(seconds=0):
            return another.take(wait=False)

    waiting = Started([work])
    time.sleep(0.05)
    monkeypatch.setattr("bloop_site.lib.turn.time.sleep", slept.append)
    assert waiting.answers == []
    another.give_up()

    assert (waiting.results(), slept) == ([False], [])


@pytest.mark.sqlite
def test_what_goes_wrong_with_the_turn_leaves_it_free(own_turn: Path) -> None:
    turn = WriteTurn()
    with pytest.raises(ValueError), turn:
        raise ValueError
    own_turn.joinpath("write.turn").unlink()
    own_turn.rmdir()
    missing = WriteTurn()
    with pytest.raises(FileNotFoundError):
        missing.take()
    own_turn.mkdir()

    assert turn.take(wait=False)
    assert missing.take(wait=False)
    turn.give_up()
    missing.give_up()


@pytest.mark.sqlite
def test_the_turns_file_is_private(own_turn: Path) -> None:
    with WriteTurn():
        assert (own_turn / "write.turn").stat().st_mode & 0o777 == 0o600


@pytest.mark.postgres
def test_on_postgresql_everybody_has_the_turn(own_turn: Path) -> None:
    turn = WriteTurn()

    with turn:
        assert at_once([turn.take, partial(turn.take, wait=False)]) == [True, True]
    turn.give_up()

    assert list(own_turn.iterdir()) == []


# --- After the commit -------------------------------------------------------------------------------------------------


def test_an_event_is_logged_as_ingested_after_its_commit_under_the_id_of_its_own_request(
    lane: Lane, wire: Wire, one_group: Callable[..., Started], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="bloop")
    shop = make_project()
    hold = Hold(wire, at=keeps)

    started = one_group([partial(post, lane, body_of(str(n)), key=shop.api_key) for n in range(3)])

    assert hold.reached.wait(PATIENCE)
    assert ingested(caplog) == []
    hold.go.set()
    assert [answer.status for answer in started.results()] == [200] * 3
    wait_until(lambda: len(ingested(caplog)) == 3)
    assert len({line["request_id"] for line in ingested(caplog)}) == 3


def test_an_event_whose_commit_fails_is_not_logged_as_ingested(
    lane: Lane, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="bloop")
    shop = make_project()
    assert post(lane, body_of("kept"), key=shop.api_key).status == 200
    wait_until(lambda: len(ingested(caplog)) == 1)
    IngestKey.objects.filter(key=shop.api_key).update(key="another")

    assert post(lane, body_of("refused"), key=shop.api_key).status == 401

    assert post(lane, body_of("the next"), key="another").status == 200
    wait_until(lambda: len(ingested(caplog)) == 2)
    assert names_kept() == ["kept", "the next"]


def test_what_fails_after_the_commit_keeps_no_answer_back_and_the_lane_goes_on(
    lane: Lane, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make_project()
    monkeypatch.setattr(nudge, "add", lambda items: 1 / 0)

    answers = [post(lane, body_of(str(number)), key=shop.api_key).status for number in range(2)]

    assert answers == [200, 200]
    wait_until(lambda: caplog.text.count("afterthought_failed") == 2)


def ingested(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The log lines that say an event was taken in."""
    lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [line for line in lines if line["event"] == "event_ingested"]
