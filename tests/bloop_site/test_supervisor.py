"""The supervisor with tiny children: what dies is started again, what is told to stop stops, nobody is left behind."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from bloop_site.supervisor import MAX_PAUSE, SETTLED_SECONDS, Child

DIES = "raise SystemExit(3)"
WAITS = "import time; time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-E", "-c", code]


def wait_until(look: Callable[[], bool], *, seconds: float = 20) -> None:
    ends = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < ends
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def child() -> Iterator[Callable[[str], Child]]:
    """Makes children that are gone after the test."""
    made: list[Child] = []

    def make(code: str) -> Child:
        made.append(Child("tiny", python(code)))
        return made[-1]

    yield make
    for each in made:
        if each.process is not None:
            each.process.kill()
            each.process.wait()


def let_it_die(child: Child) -> float:
    """Start the child now, wait for its end, and return the pause before its next start."""
    child.next_start = 0.0
    child.watch()
    assert child.process is not None
    child.process.wait()
    child.watch()
    return child.pause


def test_a_child_that_keeps_dying_is_started_ever_more_slowly_up_to_a_limit(child, capfd):
    dying = child(DIES)

    pauses = [let_it_die(dying) for _ in range(6)]

    assert pauses == [1.0, 2.0, 4.0, 8.0, MAX_PAUSE, MAX_PAUSE]
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert lines[0] == {
        "event": "child_died",
        "logger": "bloop.supervisor",
        "child": "tiny",
        "exit_code": 3,
        "restart_in_s": 1.0,
    }


def test_a_dead_child_is_not_started_before_its_pause_is_over(child):
    dying = child(DIES)
    let_it_die(dying)

    dying.watch()
    assert dying.process is None

    dying.next_start = time.monotonic()
    dying.watch()
    assert dying.process is not None


def test_a_child_that_ran_for_long_is_started_again_quickly(child):
    dying = child(DIES)
    let_it_die(dying)
    let_it_die(dying)
    dying.next_start = 0.0
    dying.watch()
    dying.process.wait()
    dying.started_at -= SETTLED_SECONDS + 1

    dying.watch()

    assert dying.pause == 0.5


def test_a_child_that_runs_is_left_alone(child):
    running = child(WAITS)
    running.watch()
    first = running.process

    running.watch()

    assert running.process is first
    assert first.poll() is None


def test_a_child_gets_its_own_environment_on_top_of_ours(child, monkeypatch):
    monkeypatch.setenv("BLOOP_TINY", "ours")
    plain = child("import os; raise SystemExit(os.environ['BLOOP_TINY'] != 'ours')")
    special = child("import os; raise SystemExit(os.environ['BLOOP_TINY'] != 'its own')")
    special.extra_env = {"BLOOP_TINY": "its own"}

    for each in (plain, special):
        each.start()
        assert each.process.wait() == 0


def test_a_child_that_ignores_sigterm_is_killed_at_the_deadline(child, capfd):
    stubborn = child(STUBBORN)
    stubborn.start()
    wait_until(lambda: bool(capfd.readouterr().out))  # it ignores SIGTERM from here on

    stubborn.ask_to_stop()
    stubborn.wait(until=time.monotonic() + 0.05)

    assert stubborn.process.returncode == -signal.SIGKILL
    assert json.loads(capfd.readouterr().err) == {
        "event": "child_killed",
        "logger": "bloop.supervisor",
        "child": "tiny",
    }


# --- The whole of it, as a process of its own ------------------------------------------------------------------------


class Run:
    """A supervisor process with children that write their process ids, one a line, into files named after them."""

    def __init__(self, folder: Path, **children: str) -> None:
        self.folder = folder
        note = "import os; open({path!r}, 'a').write(f'{{os.getpid()}}\\n'); "
        described = [
            {"name": name, "command": python(note.format(path=str(folder / name)) + code)}
            for name, code in children.items()
        ]
        main = "import bloop_site.supervisor as s; s.STOP_SECONDS, s.TICK = 0.5, 0.02; raise SystemExit(s.main())"
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", main],
            cwd=Path(__file__).parent.parent.parent,
            env={**os.environ, "BLOOP_CHILDREN": json.dumps(described)},
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        for name in children:
            wait_until(lambda: bool(self.pids(name)))  # noqa: B023  called at once

    def pids(self, name: str) -> list[int]:
        with contextlib.suppress(FileNotFoundError):
            return [int(line) for line in (self.folder / name).read_text().split("\n")[:-1]]
        return []


@pytest.fixture
def run(tmp_path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def make(**children: str) -> Run:
        runs.append(Run(tmp_path, **children))
        return runs[-1]

    yield make
    for each in runs:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(each.process.pid, signal.SIGKILL)
        each.process.communicate()


def test_a_killed_child_is_replaced_while_its_sibling_runs_on(run):
    running = run(web=WAITS, worker=WAITS)
    [web], [worker] = running.pids("web"), running.pids("worker")

    os.kill(web, signal.SIGKILL)

    wait_until(lambda: len(running.pids("web")) == 2)
    assert is_alive(running.pids("web")[1])
    assert running.pids("worker") == [worker]
    assert is_alive(worker)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_every_child_and_the_supervisor_ends_well(run, number):
    running = run(web=WAITS, worker=WAITS)

    running.process.send_signal(number)

    assert running.process.wait(20) == 0
    assert not any(is_alive(pid) for name in ("web", "worker") for pid in running.pids(name))


def test_ctrl_c_reaches_children_too_and_none_is_started_again(run):
    running = run(web=WAITS, worker=WAITS)

    os.killpg(running.process.pid, signal.SIGINT)

    assert running.process.wait(20) == 0
    assert [len(running.pids(name)) for name in ("web", "worker")] == [1, 1]
    assert not any(is_alive(pid) for name in ("web", "worker") for pid in running.pids(name))


def test_a_stubborn_child_delays_the_end_by_the_deadline_only(run):
    running = run(web=WAITS, worker=STUBBORN.replace("print(flush=True); ", ""))
    time.sleep(0.1)  # until the child has its handler
    began = time.monotonic()

    running.process.send_signal(signal.SIGTERM)

    assert running.process.wait(20) == 0
    assert time.monotonic() - began < 3
    assert not is_alive(running.pids("worker")[0])


def test_children_follow_a_supervisor_that_is_killed(run):
    running = run(web=WAITS, worker=WAITS)

    running.process.kill()
    running.process.wait()

    pids = [running.pids(name)[0] for name in ("web", "worker")]
    wait_until(lambda: not any(is_alive(pid) for pid in pids))
    assert not any(is_alive(pid) for pid in pids)


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels tell nobody")
@pytest.mark.parametrize(("parent", "said"), [("os.getppid()", "lives\n"), ("os.getpid()", "")])
def test_a_process_that_lost_its_parent_before_it_could_ask_ends_at_once(parent: str, said: str):
    """Else granian's newest worker, its main process killed that moment, answers on the port until the next reboot."""
    code = f"import os, bloop_site.supervisor as s; s.die_with_parent({parent}); print('lives')"

    done = subprocess.run(python(code), cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)

    assert done.stdout == said, done.stderr
