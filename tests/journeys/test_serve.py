"""`manage.py serve`: it starts, says where it is, replaces what dies, stops when told, and leaves nobody behind."""

import re
import signal
import socket
import time

import pytest

from tests.journeys.server import Home, Server, database, wait_until

pytestmark = pytest.mark.journey


def one_line(text: str) -> str:
    """The text, which must be one line."""
    assert len(text.strip().splitlines()) == 1, text
    return text.strip()


def test_it_prints_its_address_and_a_sign_in_link_that_works_once(shared_server: Server):
    printed = re.findall(rf"{shared_server.origin}/auth/link/[\w-]{{20,}}", shared_server.output)

    assert f"Bloop is at {shared_server.origin}" in shared_server.output
    assert len(printed) == 1
    shared_server.sign_in()
    assert "Errors" in shared_server.page("/errors")
    assert shared_server.request("GET", printed[0].removeprefix(shared_server.origin)).status == 410


def test_it_refuses_a_busy_port_with_one_clear_line(home: Home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = home.manage("serve", "--host", "127.0.0.1", "--port", str(port))

    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in one_line(done.stderr)
    assert done.stdout == ""


def test_it_refuses_a_database_without_tables_and_says_what_to_run(tmp_path):
    with database() as url:
        done = Home(tmp_path, url).manage("serve", "--host", "127.0.0.1", "--port", "1")

    assert done.returncode == 1
    assert "manage.py migrate" in one_line(done.stderr)


@pytest.mark.parametrize(("number", "whole_group"), [(signal.SIGTERM, False), (signal.SIGINT, True)])
def test_it_stops_with_all_its_processes_when_told(home: Home, number: int, whole_group: bool):  # noqa: FBT001
    server = Server(home)
    server.start()
    try:
        server.send(error_type="First")
        server.wait_for("First")  # the worker is up
        server.send(error_type="Last")
        server.stop(number, whole_group=whole_group)  # asserts: exit code 0, in 8 seconds, nobody left
    finally:
        server.kill_all()

    assert "Traceback" not in server.output
    assert home.query("SELECT count(*) FROM ingest_bufferedpayload") == 0
    assert home.query("SELECT count(*) FROM errors_event") == 2


def test_a_killed_process_is_replaced_and_ingest_works_again(server: Server):
    for number, role in enumerate(("web", "web worker", "worker")):
        victim = wait_until(lambda: server.find(role), what=f"a {role} process")  # noqa: B023  called at once
        victim.kill()
        wait_until(
            lambda: (new := server.find(role)) is not None and new.pid != victim.pid,  # noqa: B023  called at once
            what=f"another {role} after the kill",
        )
        server.wait_for_health()
        wait_until(lambda: server.is_healthy() and server.is_healthy(), what="a settled server")
        server.send(message=f"after the end of {role}", fingerprint=f"after-{number}")
        server.wait_for(f"after the end of {role}")
        survivor = server.find(role)
        assert survivor is not None
        assert survivor.pid != victim.pid


def test_killing_the_supervisor_leaves_no_orphan_and_frees_the_port(server: Server):
    roles = [server.find(role) for role in ("web", "web worker", "worker")]
    assert None not in roles

    server.running.kill()
    server.running.wait()

    wait_until(lambda: not server.processes(), what="the children to follow their supervisor")
    began = time.monotonic()
    server.start()
    assert server.request("GET", "/health").status == 200, time.monotonic() - began
    server.stop()
