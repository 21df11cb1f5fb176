"""Believable errors for the bench: forty kinds in three dialects, about 1.6 KB each, no two messages alike."""

import hashlib
import hmac
import json
import random
import time

KINDS = 40
TYPES = (
    ("TypeError", "Cannot read properties of undefined (reading 'total') for cart {n}"),
    ("TimeoutError", "Request to inventory timed out after {n}ms"),
    ("IntegrityError", "duplicate key value violates unique constraint: Key (id)=({n}) already exists"),
    ("IllegalStateException", "Fragment checkout not attached to a context, attempt {n}"),
    ("ConnectionError", "Connection refused by 10.0.4.{n}:5432"),
    ("ValueError", "could not convert order {n} to a price"),
    ("PaymentDeclined", "Card declined for customer {n}, code insufficient_funds"),
    ("RangeError", "Maximum call stack size exceeded while rendering list of {n} rows"),
)
SOURCES = ("api", "python", "android", "ios", "web")
RELEASES = ("2026.11.1", "2026.11.2", "2026.11.3")
ENVIRONMENTS = ("production", "production", "production", "staging")
NAMES = ("Orders", "Cart", "Billing", "Search", "Profile", "Inbox", "Export", "Login", "Report", "Upload")


def java_stack(name: str, error_type: str) -> str:
    lines = [f"java.lang.{error_type}: in {name}"]
    lines += [f"\tat com.acme.shop.{name.lower()}.{name}Step{line}.handle({name}.kt:{40 + line})" for line in range(9)]
    lines += [f"\tat android.os.Handler.dispatchMessage(Handler.java:{100 + line})" for line in range(7)]
    return "\n".join(lines)


def python_stack(name: str, error_type: str) -> str:
    lines = ["Traceback (most recent call last):"]
    for line in range(9):
        lines += [f'  File "/srv/shop/{name.lower()}/views.py", line {30 + line}, in step_{line}', "    return inner()"]
    return "\n".join([*lines, f"{error_type}: see message"])


def javascript_stack(name: str, error_type: str) -> str:
    lines = [f"  at {name}.step{line} (src/pages/{name.lower()}/index.ts:{20 + line}:{line + 3})" for line in range(9)]
    lines += [f"  at Layer.handle (node_modules/express/lib/router/layer.js:{90 + line}:5)" for line in range(8)]
    return "\n".join(lines)


STACKS = (javascript_stack, python_stack, java_stack)


def event(*, issue: int, number: int, rng: random.Random) -> dict[str, object]:
    """An event of issue `issue`; `number` is somewhere in its message, so that normalising it has something to do."""
    kind = issue % KINDS
    error_type, message = TYPES[kind % len(TYPES)]
    name = NAMES[issue % len(NAMES)]
    return {
        "timestamp": int(time.time() * 1000),
        "source": SOURCES[kind // len(TYPES)],
        "environment": rng.choice(ENVIRONMENTS),
        "release": rng.choice(RELEASES),
        "error_type": error_type,
        "message": message.format(n=number),
        "stack": STACKS[kind % len(STACKS)](name, error_type),
        "route_or_procedure": f"/api/{name.lower()}/section-{issue}",
        "http_status": 500,
        "request_id": f"{rng.getrandbits(128):032x}",
        "user_id_hash": f"{rng.getrandbits(128):032x}",
        "metadata": {"attempt": number % 5, "region": "eu-west-1", "feature_flags": ["new_cart", "fast_search"]},
    }


def single_body(rng: random.Random, number: int, *, event_id: str | None = None) -> bytes:
    """The body of one event of one of the forty issues."""
    fields = event(issue=rng.randrange(KINDS), number=number, rng=rng)
    return json.dumps({**fields, "event_id": event_id} if event_id else fields).encode()


def batch_body(rng: random.Random, number: int, *, size: int) -> bytes:
    """The body of a batch."""
    batch = [event(issue=rng.randrange(KINDS), number=number * size + each, rng=rng) for each in range(size)]
    return json.dumps({"events": batch}).encode()


def sign(body: bytes, *, key: str) -> str:
    """The X-Signature of a body (contract 1.1)."""
    return hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def signed_request(path: str, body: bytes, *, key: str) -> bytes:
    """A whole HTTP request, ready to be sent."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"X-Project-Key: {key}\r\nX-Signature: {sign(body, key=key)}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
