"""HTTP as clients, proxies and old SDKs really send it, through granian: nothing here is Django's test client."""

import gzip
import http.client
import json
import socket
import uuid
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.journeys.server import PATIENCE, Server, event, signed

pytestmark = pytest.mark.journey


@pytest.fixture
def name() -> str:
    """A word that no other journey on the shared server uses."""
    return f"Http{uuid.uuid4().hex}"


def in_pieces(body: bytes, *, size: int = 7) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def body_of(**fields: object) -> bytes:
    return json.dumps(event(**fields)).encode()


def raw_answer(server: Server, request: bytes) -> bytes:
    """Everything the server says to these bytes, until it closes or has said a whole answer of known length."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=15) as connection:
        connection.sendall(request)
        return read_answer(connection)


def read_answer(connection: socket.socket) -> bytes:
    response = http.client.HTTPResponse(connection)
    response.begin()
    return f"{response.status} ".encode() + response.read()


# --- Bodies ----------------------------------------------------------------------------------------------------------


def test_a_chunked_body_without_a_length_is_read_whole(shared_server: Server, name: str):
    body = body_of(error_type=name, message="in pieces", stack="at here\n" * 500)

    answer = shared_server.request(
        "POST", "/v1/ingest", in_pieces(body), signed(body, shared_server.key), encode_chunked=True
    )

    assert (answer.status, answer.json) == (200, {"status": "accepted"})
    found = shared_server.wait_for(name)
    assert shared_server.detail(found["fingerprint"])["samples"][0]["stack"] == "at here\n" * 500


def test_a_chunked_batch_in_gzip_is_read_whole(shared_server: Server, name: str):
    body = gzip.compress(json.dumps({"events": [event(error_type=name) for _ in range(120)]}).encode())
    headers = {**signed(body, shared_server.key), "Content-Encoding": "gzip"}

    answer = shared_server.request("POST", "/v1/ingest/batch", in_pieces(body, size=100), headers, encode_chunked=True)

    assert (answer.status, answer.json["accepted"]) == (200, 120)
    shared_server.wait_for(name, count=120)


def test_a_chunked_body_over_the_limit_of_its_route_is_refused(shared_server: Server, name: str):
    body = body_of(error_type=name, stack="x" * 40_000)

    answer = shared_server.request(
        "POST", "/v1/ingest", in_pieces(body, size=9000), signed(body, shared_server.key), encode_chunked=True
    )

    assert (answer.status, answer.json) == (413, {"error": "body exceeds 32768 bytes"})


def test_a_chunked_body_that_never_ends_is_refused_at_the_largest_limit(shared_server: Server):
    limit = 5 * 1024 * 1024
    head = "".join(f"{key}: {value}\r\n" for key, value in signed(b"", shared_server.key).items())

    answer = raw_answer(
        shared_server,
        f"POST /v1/ingest/batch HTTP/1.1\r\nHost: localhost\r\n{head}Transfer-Encoding: chunked\r\n\r\n"
        f"{limit * 2:x}\r\n".encode()
        + b"x" * (limit + 1),
    )

    status, _, body = answer.partition(b" ")
    assert (status, json.loads(body)) == (b"413", {"error": f"body exceeds {limit} bytes"})


def test_a_body_that_breaks_off_is_not_taken(shared_server: Server, name: str):
    body = body_of(error_type=name)
    head = "".join(f"{key}: {value}\r\n" for key, value in signed(body, shared_server.key).items())
    with socket.create_connection(("127.0.0.1", shared_server.port), timeout=15) as connection:
        connection.sendall(f"POST /v1/ingest HTTP/1.1\r\nHost: localhost\r\n{head}".encode())
        connection.sendall(b"Transfer-Encoding: chunked\r\n\r\n" + f"{len(body):x}\r\n".encode() + body[:-1])
    with socket.create_connection(("127.0.0.1", shared_server.port), timeout=15) as connection:
        connection.sendall(f"POST /v1/ingest HTTP/1.1\r\nHost: localhost\r\n{head}".encode())
        connection.sendall(f"Content-Length: {len(body)}\r\n\r\n".encode() + body[:-1])

    shared_server.send(error_type=f"{name}After")

    shared_server.wait_for(f"{name}After")
    assert [row["error_type"] for row in shared_server.found(name)] == [f"{name}After"]


def test_a_client_that_expects_100_continue_is_told_to_go_on(shared_server: Server, name: str):
    body = body_of(error_type=name)
    head = "".join(f"{key}: {value}\r\n" for key, value in signed(body, shared_server.key).items())
    with socket.create_connection(("127.0.0.1", shared_server.port), timeout=15) as connection:
        connection.sendall(
            f"POST /v1/ingest HTTP/1.1\r\nHost: localhost\r\n{head}"
            f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        interim = connection.recv(25)
        connection.sendall(body)
        answer = read_answer(connection)

    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer == b'200 {"status":"accepted"}'
    shared_server.wait_for(name)


# --- Connections -----------------------------------------------------------------------------------------------------


def test_one_connection_serves_many_requests_refused_ones_included(shared_server: Server, name: str):
    connection = http.client.HTTPConnection("127.0.0.1", shared_server.port, timeout=PATIENCE)
    statuses, sockets = [], []
    try:
        for key in (shared_server.key, "bloop_wrong", shared_server.key):
            body = body_of(error_type=name)
            connection.request("POST", "/v1/ingest", body, {**signed(body, key), "X-Project-Key": shared_server.key})
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
            sockets.append(connection.sock)
    finally:
        connection.close()

    assert statuses == [200, 401, 200]
    assert sockets[0] is not None
    assert sockets == [sockets[0]] * 3
    shared_server.wait_for(name, count=2)


def test_head_answers_like_get_without_a_body(shared_server: Server):
    for path in ("/health", "/v1/stats", "/auth/login"):
        headers = {"Authorization": f"Bearer {shared_server.home.token}"}
        whole = shared_server.request("GET", path, headers=headers)
        head = shared_server.request("HEAD", path, headers=headers)

        assert (head.status, head.body) == (whole.status, b"") == (200, b"")
        assert head.headers["Content-Type"] == whole.headers["Content-Type"]
        assert head.headers["Content-Length"] == whole.headers["Content-Length"] == str(len(whole.body))


# --- Paths -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["//v1/ingest", "/v1/ingest/", "///v1/ingest/", "//v1/ingest/batch/"])
def test_doubled_and_trailing_slashes_lead_to_ingest_without_a_redirect(shared_server: Server, name: str, path: str):
    one = event(error_type=name)

    answer = shared_server.post(path, {"events": [one]} if "batch" in path else one)

    assert answer.status == 200, answer.body
    shared_server.wait_for(name)


@pytest.mark.parametrize(
    "release", ["web/1.0", "é 1.0", "日本/2", "100%", "a%2Fb", "v1+2 ?#&=;", "🙂", "Ã©", ".", "x/.."]
)
def test_any_release_is_found_by_its_name_in_the_path(shared_server: Server, name: str, release: str):
    named = f"{name} {release}"
    shared_server.send(error_type=name, release=named)
    shared_server.wait_for(name)

    rows = shared_server.get(f"/v1/releases/{quote(named, safe='')}/errors").json

    assert [(row["error_type"], row["release"]) for row in rows] == [(name, named)]


def test_a_release_sent_as_plain_utf8_bytes_in_the_path_is_the_same_name(shared_server: Server, name: str):
    release = f"{name}-é-日本"
    shared_server.send(error_type=name, release=release)
    shared_server.wait_for(name)

    answer = raw_answer(
        shared_server,
        f"GET /v1/releases/{release}/errors HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {shared_server.home.token}\r\nConnection: close\r\n\r\n".encode(),
    )

    status, _, body = answer.partition(b" ")
    assert status in (b"200", b"400")  # a server may insist on escapes, but must not mean another release
    assert status == b"400" or [row["release"] for row in json.loads(body)] == [release]


@pytest.mark.parametrize("fingerprint", ["a/b", "a%2Fb", "é/日本", "//x", "with space"])
def test_any_fingerprint_is_found_by_its_name_in_the_path(shared_server: Server, name: str, fingerprint: str):
    named = f"{fingerprint}{name}" if fingerprint.startswith("//") else f"{name}-{fingerprint}"
    shared_server.send(error_type=name, fingerprint=named)
    shared_server.wait_for(name)

    found = shared_server.detail(named)

    assert [row["fingerprint"] for row in found["aggregates"]] == [named]


def test_a_path_that_is_no_utf8_is_a_client_error(shared_server: Server):
    answer = shared_server.request(
        "GET", "/v1/releases/%ff%fe/errors", headers={"Authorization": f"Bearer {shared_server.home.token}"}
    )

    assert answer.status < 500
