"""The published SDK's wrappers around the real `openai` and `anthropic` clients, on a provider of ours."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.journeys.fake_provider import fake_provider
from tests.journeys.server import Home, Server, wait_until

pytestmark = pytest.mark.journey

BEGIN = """
import sys
import time
import warnings
warnings.simplefilter("ignore")
import anthropic
import openai
from bloop import BloopClient

bloop = BloopClient(sys.argv[1], sys.argv[2])
"""
WRAP = """
gpt = bloop.wrap_openai(openai.OpenAI(base_url=sys.argv[3] + "/v1", api_key="none", max_retries=0))
claude = bloop.wrap_anthropic(anthropic.Anthropic(base_url=sys.argv[3], api_key="none", max_retries=0))
"""
INSTRUMENT = """
bloop.auto_instrument()
gpt = openai.OpenAI(base_url=sys.argv[3] + "/v1", api_key="none", max_retries=0)
claude = anthropic.Anthropic(base_url=sys.argv[3], api_key="none", max_retries=0)
"""
ASK = """
def ask(words, **more):
    return [{"role": "user", "content": words}]

sonnet = {"model": "claude-sonnet-4-5", "max_tokens": 200}
"""
ANSWERED = """
said = gpt.chat.completions.create(model="gpt-4o", messages=ask("hello"))
assert said.choices[0].message.content == "Hello there."
said = claude.messages.create(**sonnet, messages=ask("hello"))
assert said.content[0].text == "Hello there."
"""
STREAMED = """
parts = gpt.chat.completions.create(
    model="gpt-4o", messages=ask("hello"), stream=True, stream_options={"include_usage": True}
)
assert "".join(part.choices[0].delta.content or "" for part in parts if part.choices) == "Hello there."
parts = claude.messages.create(**sonnet, messages=ask("hello"), stream=True)
assert "".join(part.delta.text for part in parts if part.type == "content_block_delta") == "Hello there."
"""
REFUSED = """
try:
    gpt.chat.completions.create(model="gpt-4o", messages=ask("fail"))
except openai.RateLimitError:
    pass
try:
    claude.messages.create(**sonnet, messages=ask("fail"))
except anthropic.APIStatusError:
    pass
"""
END = """
bloop.close()
time.sleep(2)  # it sends from a thread that ends with the program
"""
COLUMNS = "status || ' ' || input_tokens || ' ' || output_tokens || ' ' || cost_micros"


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with fake_provider() as address:
        yield address


def run_calls(calls: str, server: Server, provider: str, *, by: str = WRAP) -> None:
    """Run a program that calls both clients, and wait until both traces are stored."""
    argv = [sys.executable, "-I", "-c", BEGIN + by + ASK + calls + END]
    argv += [f"http://127.0.0.1:{server.port}", server.key, provider]
    done = subprocess.run(argv, cwd=server.home.folder, capture_output=True, text=True, timeout=180, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    wait_until(lambda: server.home.query("SELECT count(*) FROM llmtraces_trace") == 2, what="two traces are stored")


def span_of(home: Home, provider_model: str, column: str) -> object:
    """A column of the one span of a model."""
    return home.query(f"SELECT {column} FROM llmtraces_span WHERE model = '{provider_model}'")


def expect_right_rollups(home: Home) -> None:
    """Every rollup is what the traces add up to."""
    assert home.manage_json("verify_rollups") == {"differences": []}


@pytest.mark.parametrize("by", [WRAP, INSTRUMENT], ids=["wrap", "auto_instrument"])
def test_answers_of_both_real_clients_are_stored_with_model_tokens_latency_and_price(
    server: Server, provider: str, by: str
):
    run_calls(ANSWERED, server, provider, by=by)

    home = server.home
    assert span_of(home, "gpt-4o-2024-08-06", COLUMNS) == "ok 500 100 2250"
    assert span_of(home, "claude-sonnet-4-5", COLUMNS) == "ok 400 80 2400"
    for model in ("gpt-4o-2024-08-06", "claude-sonnet-4-5"):
        assert 25 <= int(str(span_of(home, model, "latency_ms"))) < 20_000
        assert span_of(home, model, "cost_source") == "price"
    assert home.query("SELECT count(*) FROM llmtraces_trace WHERE status = 'completed' AND ended_ms IS NOT NULL") == 2
    assert home.query("SELECT sum(cost_micros) FROM llmtraces_usagehour") == 4650
    expect_right_rollups(home)


def test_streams_of_both_real_clients_are_stored_with_tokens_latency_and_price(server: Server, provider: str):
    """Without the time to the first token: SDK 0.3.0 measures it, then its own `set_latency` clears it again."""
    run_calls(STREAMED, server, provider)

    home = server.home
    assert span_of(home, "gpt-4o-2024-08-06", COLUMNS) == "ok 500 100 2250"
    assert span_of(home, "claude-sonnet-4-5", COLUMNS) == "ok 400 80 2400"
    for model in ("gpt-4o-2024-08-06", "claude-sonnet-4-5"):
        assert 25 <= int(str(span_of(home, model, "latency_ms"))) < 20_000
        assert span_of(home, model, "ttft_ms") is None
    expect_right_rollups(home)


def test_refusals_of_both_providers_are_stored_as_errors_in_the_clients_words(server: Server, provider: str):
    run_calls(REFUSED, server, provider)

    home = server.home
    assert span_of(home, "gpt-4o", COLUMNS) == "error 0 0 0"
    assert span_of(home, "claude-sonnet-4-5", COLUMNS) == "error 0 0 0"
    assert "Rate limit reached for gpt-4o" in str(span_of(home, "gpt-4o", "error_message"))
    assert "Overloaded" in str(span_of(home, "claude-sonnet-4-5", "error_message"))
    assert home.query("SELECT count(*) FROM llmtraces_trace WHERE status = 'error'") == 2
    assert home.query("SELECT sum(error_count) FROM llmtraces_usagehour") == 2
    expect_right_rollups(home)
