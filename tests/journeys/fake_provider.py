"""A provider of models on loopback: answers as OpenAI's chat completions and Anthropic's messages do, streaming too."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FIRST_TOKEN_SECONDS = 0.03
BUSY = {"error": {"message": "Rate limit reached for gpt-4o", "type": "tokens", "code": "rate_limit_exceeded"}}
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


class Handler(BaseHTTPRequestHandler):
    """Does what the words of the last message say: "fail" is refused, anything else is answered."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_openai = self.path == "/v1/chat/completions"
        if asked["messages"][-1]["content"] == "fail":
            self.answer(429 if is_openai else 529, BUSY if is_openai else OVERLOADED)
        elif asked.get("stream"):
            self.stream(completion_events(asked) if is_openai else message_events(asked))
        else:
            time.sleep(FIRST_TOKEN_SECONDS)
            self.answer(200, completion(asked) if is_openai else message(asked))

    def answer(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, events: Iterator[tuple[str, Any]]) -> None:
        """Server-sent events; the connection ends with them."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        time.sleep(FIRST_TOKEN_SECONDS)
        for name, value in events:
            words = value if isinstance(value, str) else json.dumps(value)
            self.wfile.write((f"event: {name}\n" if name else "").encode() + f"data: {words}\n\n".encode())
            self.wfile.flush()
            time.sleep(0.005)
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def completion(asked: dict[str, Any]) -> dict[str, Any]:
    """OpenAI's answer: 500 tokens in, 100 out, by the dated model behind the name asked for."""
    said = {"role": "assistant", "content": "Hello there.", "refusal": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": f"{asked['model']}-2024-08-06",
        "choices": [{"index": 0, "message": said, "finish_reason": "stop", "logprobs": None}],
        "usage": {"prompt_tokens": 500, "completion_tokens": 100, "total_tokens": 600},
    }


def completion_events(asked: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The same, word by word; usage comes last, and only when `stream_options` asks for it."""
    whole = completion(asked)
    chunk = {name: whole[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    for words in ("Hello", " there."):
        delta = {"index": 0, "delta": {"role": "assistant", "content": words}, "finish_reason": None}
        yield "", {**chunk, "choices": [delta]}
    yield "", {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    if (asked.get("stream_options") or {}).get("include_usage"):
        yield "", {**chunk, "choices": [], "usage": whole["usage"]}
    yield "", "[DONE]"


def message(asked: dict[str, Any]) -> dict[str, Any]:
    """Anthropic's answer: 400 tokens in, 80 out."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": asked["model"],
        "content": [{"type": "text", "text": "Hello there."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 400, "output_tokens": 80},
    }


def message_events(asked: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The same as events: tokens in come first, tokens out last."""
    begun = {**message(asked), "content": [], "stop_reason": None, "usage": {"input_tokens": 400, "output_tokens": 1}}
    yield "message_start", {"type": "message_start", "message": begun}
    block = {"type": "text", "text": ""}
    yield "content_block_start", {"type": "content_block_start", "index": 0, "content_block": block}
    for words in ("Hello", " there."):
        delta = {"type": "text_delta", "text": words}
        yield "content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta}
    yield "content_block_stop", {"type": "content_block_stop", "index": 0}
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    yield "message_delta", {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 80}}
    yield "message_stop", {"type": "message_stop"}


@contextlib.contextmanager
def fake_provider() -> Iterator[str]:
    """The provider's address, without a path."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
