"""What is settled before Django: slashes, NUL, bodies without a length (contract 0.1, design.md 1)."""

import io
from typing import Any

import pytest
from django.conf import settings

from bloop_site.lib.bodies import MAX_FORM, MAX_UPLOAD
from bloop_site.lib.parsers import MAX_BODY
from bloop_site.transport import Transport


class Inner:
    """An application that remembers what reached it."""

    def __init__(self) -> None:
        self.environ: dict[str, Any] = {}
        self.body = b""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.environ = environ
        self.body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response("200 OK", [])
        return [b"ok"]


def pass_through(
    path: str, *, query: str = "", body: bytes = b"", stream: Any = None, **environ: str
) -> tuple[Inner, str, list[bytes]]:
    inner, said = Inner(), list[str]()
    request = {"PATH_INFO": path, "QUERY_STRING": query, "wsgi.input": stream or io.BytesIO(body), **environ}
    answer = Transport(inner)(request, lambda status, headers: said.append(status))
    return inner, said[0], list(answer)


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("/v1/ingest", "/v1/ingest"),
        ("/v1/ingest/", "/v1/ingest"),
        ("//v1/ingest", "/v1/ingest"),
        ("///v1/ingest/batch/", "/v1/ingest/batch"),
        ("/health/", "/health"),
        ("/auth/login/", "/auth/login"),
        ("//", "/"),
        ("/", "/"),
        ("//errors", "/errors"),
        ("/v1/errors/a//b", "/v1/errors/a//b"),
        ("/errors/shop/trailing/", "/errors/shop/trailing/"),
    ],
)
def test_extra_slashes_are_taken_off_and_those_inside_stay(sent: str, meant: str):
    inner, status, _ = pass_through(sent)

    assert (status, inner.environ["PATH_INFO"]) == ("200 OK", meant)


@pytest.mark.parametrize(("path", "query"), [("/v1/errors/a\x00", ""), ("/v1/errors", "q=a%00"), ("/\x00", "")])
def test_a_nul_never_reaches_the_application(path: str, query: str):
    inner, status, body = pass_through(path, query=query)

    assert status == "400 Bad Request"
    assert body == [b'{"error": "NUL is not allowed in a URL"}']
    assert inner.environ == {}


def test_a_body_without_a_length_is_read_and_given_one():
    inner, _, _ = pass_through("/v1/ingest", body=b"x" * 70_000, HTTP_TRANSFER_ENCODING="chunked")

    assert inner.body == b"x" * 70_000
    assert inner.environ["CONTENT_LENGTH"] == "70000"


def test_a_body_with_a_length_is_left_alone():
    inner, _, _ = pass_through("/v1/ingest", body=b"abcdef", CONTENT_LENGTH="3")

    assert inner.body == b"abc"


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/v1/ingest", settings.BLOOP.ingest.max_batch_bytes),
        ("/auth/recover", MAX_FORM),
        ("/v1/projects", MAX_BODY),
        ("/v1/projects/shop/sourcemaps", MAX_UPLOAD),
        ("/settings/projects/shop/sourcemaps", MAX_UPLOAD),
    ],
)
def test_a_body_without_a_length_is_read_one_byte_over_what_its_path_takes_and_no_further(path: str, limit: int):
    stream = io.BytesIO(b"x" * (limit + 500))

    inner, status, _ = pass_through(path, HTTP_TRANSFER_ENCODING="chunked", stream=stream)

    assert (status, inner.environ["CONTENT_LENGTH"]) == ("200 OK", str(limit + 1))
    assert stream.tell() == limit + 1
