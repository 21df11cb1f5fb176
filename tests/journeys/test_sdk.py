"""The published `bloop-sdk`, unmodified, in a program of its own, pointed at a running server."""

import importlib.metadata
import subprocess
import sys
import uuid

import pytest

from tests.journeys.server import Server, wait_until

pytestmark = pytest.mark.journey

ONE = """
import sys
from bloop import BloopClient

with BloopClient(sys.argv[1], sys.argv[2], environment="staging", release="2.1.0") as client:
    try:
        {}["id"]
    except KeyError as error:
        client.capture(sys.argv[3], f"no such key: {error}", route_or_procedure="/cart", metadata={"cart": 7})
"""
BURST = """
import sys
from bloop import BloopClient

client = BloopClient(sys.argv[1], sys.argv[2])
for number in range(100):
    client.capture(sys.argv[3], f"failure number {number}")
client.close()
"""
TRACE = """
import sys
import time
from bloop import BloopClient

with BloopClient(sys.argv[1], sys.argv[2]) as client:
    with client.trace(name="chat", trace_id=sys.argv[3], session_id="cart-7") as trace:
        with trace.span(name="answer", model="gpt-4o", provider="openai") as span:
            span.set_tokens(500, 100)
    client.flush()
    time.sleep(2)  # it sends from a thread that ends with the program
"""


def run_program(code: str, server: Server, name: str) -> None:
    """Run a program that uses the SDK, away from our source tree's imports and from pytest's."""
    argv = [sys.executable, "-I", "-c", code, f"http://127.0.0.1:{server.port}", server.key, name]
    done = subprocess.run(argv, cwd=server.home.folder, capture_output=True, text=True, timeout=180, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_error_captured_by_the_published_sdk_is_on_the_errors_page(shared_server: Server):
    name = f"Sdk{uuid.uuid4().hex}"
    assert importlib.metadata.version("bloop-sdk") == "0.3.0"

    run_program(ONE, shared_server, name)

    found = shared_server.wait_for(name)
    page = shared_server.page(f"/errors?q={name}")
    assert name in page
    assert "no such key: &#x27;id&#x27;" in page
    aggregate = shared_server.detail(found["fingerprint"])["aggregates"][0]
    sent = {key: aggregate[key] for key in ("source", "environment", "release", "route_or_procedure")}
    assert sent == {
        "source": "python",
        "environment": "staging",
        "release": "2.1.0",
        "route_or_procedure": "/cart",
    }


def test_a_burst_of_a_hundred_from_the_published_sdk_is_counted_whole(shared_server: Server):
    name = f"Sdk{uuid.uuid4().hex}"

    run_program(BURST, shared_server, name)

    found = shared_server.wait_for(name, count=100)
    assert (found["release"], found["source"]) == ("unknown", "python")


def test_a_trace_of_the_published_sdk_is_stored_priced_and_rolled_up(shared_server: Server):
    name = uuid.uuid4().hex

    run_program(TRACE, shared_server, name)

    def stored(column: str) -> object:
        return shared_server.home.query(f"SELECT {column} FROM llmtraces_trace WHERE trace_id = '{name}'")

    wait_until(lambda: stored("count(*)"), what="the trace is stored")
    assert (stored("total_tokens"), stored("cost_micros"), stored("session_id")) == (600, 2250, "cart-7")
    assert shared_server.home.manage_json("verify_rollups") == {"differences": []}
