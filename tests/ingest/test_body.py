import gzip
import io
import json
import tracemalloc
import zlib
from collections.abc import Iterable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from bloop_site.lib.api import ApiError
from bloop_site.transport import Transport
from errors.models import Event
from ingest import buffer
from ingest.body import decode, gunzip
from ingest.flush import flush_all
from projects.services.projects import NewProject
from tests.factories import event_json, post_signed, sign
from tests.ingest.test_refusals import counted
from tests.wsgi import connections_kept

BODY = json.dumps(event_json()).encode()
BATCH = b'{"events":[' + BODY + b"]}"
BATCH_LIMIT = settings.BLOOP.ingest.max_batch_bytes


def padded(body: bytes, length: int) -> bytes:
    return body + b" " * (length - len(body))


# --- gzip (L9) ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", " gzip ", "x-gzip"])
def test_a_gzipped_event_is_signed_over_the_bytes_as_sent(encoding: str, client: Client, shop: NewProject) -> None:
    packed = gzip.compress(BODY)
    headers = {"X-Project-Key": shop.api_key, "Content-Encoding": encoding}

    as_sent = client.post(
        "/v1/ingest", packed, content_type="x/y", headers={"X-Signature": sign(packed, shop.api_key), **headers}
    )
    unpacked = client.post(
        "/v1/ingest", packed, content_type="x/y", headers={"X-Signature": sign(BODY, shop.api_key), **headers}
    )

    assert as_sent.status_code == 200
    assert (unpacked.status_code, unpacked.json()) == (401, {"error": "invalid signature"})
    flush_all()
    assert Event.objects.get().error_type == "TypeError"


def test_a_gzipped_batch_is_taken(client: Client, shop: NewProject) -> None:
    response = post_signed(
        client, "/v1/ingest/batch", gzip.compress(BATCH), key=shop.api_key, **{"Content-Encoding": "gzip"}
    )

    assert response.json() == {"accepted": 1, "dropped": 0, "errors": []}


def test_identity_is_no_encoding() -> None:
    assert decode(b"x", encoding="identity", limit=10) == b"x"


def test_gzip_of_several_members_is_one_body() -> None:
    packed = b"".join(gzip.compress(part) for part in (BODY[:10], b"", BODY[10:]))

    assert gunzip(packed, limit=len(BODY)) == BODY


@pytest.mark.parametrize("cut", [1, 9, 10, 20, -8, -1])
def test_gzip_that_stops_early_is_refused_and_not_half_read(cut: int) -> None:
    with pytest.raises(ApiError) as refused:
        gunzip(gzip.compress(BODY)[:cut], limit=len(BODY))

    assert (refused.value.status_code, refused.value.reason) == (400, "gzip body is truncated")


def test_gzip_may_unpack_to_the_limit_and_not_a_byte_further() -> None:
    packed = gzip.compress(b"x" * 1000)

    assert len(gunzip(packed, limit=1000)) == 1000
    with pytest.raises(ApiError, match="decompressed body exceeds 999 bytes") as refused:
        gunzip(packed, limit=999)
    assert refused.value.status_code == 413


def test_gzip_of_very_many_members_is_refused() -> None:
    with pytest.raises(ApiError, match="more than 256 members"):
        gunzip(gzip.compress(b"") * 257, limit=1000)


@pytest.mark.parametrize("packed", [zlib.compress(BODY), BODY, gzip.compress(BODY) + b"garbage"])
def test_what_is_no_gzip_is_refused(packed: bytes) -> None:
    with pytest.raises(ApiError, match="body is not valid gzip"):
        gunzip(packed, limit=100_000)


def test_a_gzip_bomb_of_ten_megabytes_is_413_and_is_never_unpacked(client: Client, shop: NewProject) -> None:
    bomb = gzip.compress(b" " * 10 * 1024 * 1024)
    tracemalloc.start()
    try:
        response = post_signed(client, "/v1/ingest", bomb, key=shop.api_key, **{"Content-Encoding": "gzip"})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (response.status_code, response.json()) == (413, {"error": "decompressed body exceeds 32768 bytes"})
    assert peak < 2 * 1024 * 1024


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, br"])
def test_an_encoding_we_do_not_know_is_415(encoding: str, client: Client, shop: NewProject) -> None:
    response = post_signed(client, "/v1/ingest", BODY, key=shop.api_key, **{"Content-Encoding": encoding})

    expected = {"error": "unsupported Content-Encoding; send gzip or none"}
    assert (response.status_code, response.json()) == (415, expected)


# --- Limits of a body with a length (9.4) ---------------------------------------------------------------------


@pytest.mark.parametrize(("path", "body", "limit"), [("", BODY, 32_768), ("/batch", BATCH, BATCH_LIMIT)])
def test_a_body_may_be_as_long_as_the_limit_and_no_longer(
    path: str, body: bytes, limit: int, client: Client, shop: NewProject
) -> None:
    fits = post_signed(client, f"/v1/ingest{path}", padded(body, limit), key=shop.api_key)
    long = post_signed(client, f"/v1/ingest{path}", padded(body, limit + 1), key=shop.api_key)

    assert fits.status_code == 200
    assert (long.status_code, long.json()) == (413, {"error": f"body exceeds {limit} bytes"})
    assert buffer.waiting_items() == 1


def test_l9_the_defaults_leave_room_for_five_hundred_events_with_stacks() -> None:
    assert settings.BLOOP.ingest.max_batch_size >= 500
    assert settings.BLOOP.ingest.max_batch_bytes >= 1024 * 1024


# --- Through the WSGI middleware ------------------------------------------------------------------------------


class Stream(io.BytesIO):
    """A wsgi.input that counts what was read of it."""

    taken = 0

    def read(self, size: int | None = -1) -> bytes:
        part = super().read(size)
        self.taken += len(part)
        return part


def call(app: Any, path: str, stream: io.BytesIO, **environ: str) -> tuple[int, dict[str, str], bytes]:
    """One request through WSGI: status, headers, body."""
    answer: list[Any] = []
    whole = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "5332",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": stream,
        "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http",
        "wsgi.input_terminated": True,
        **environ,
    }
    with connections_kept():
        parts: Iterable[bytes] = app(whole, lambda status, headers, *_: answer.extend((status, dict(headers))))
        body = b"".join(parts)
    return int(answer[0].split()[0]), answer[1], body


def signed(body: bytes, project: NewProject) -> dict[str, str]:
    return {"HTTP_X_SIGNATURE": sign(body, project.api_key), "HTTP_X_PROJECT_KEY": project.api_key}


CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked"}


def test_a_chunked_body_without_a_length_is_taken(application: Transport, shop: NewProject) -> None:
    status, _, answer = call(application, "/v1/ingest", Stream(BODY), **CHUNKED, **signed(BODY, shop))

    assert (status, answer) == (200, b'{"status":"accepted"}')
    flush_all()
    assert Event.objects.get().message == "Cannot read property 'id' of undefined"


def test_a_chunked_body_over_the_routes_limit_is_413(application: Transport, shop: NewProject) -> None:
    body = padded(BODY, 32_769)

    status, _, answer = call(application, "/v1/ingest", Stream(body), **CHUNKED, **signed(body, shop))

    assert (status, json.loads(answer)) == (413, {"error": "body exceeds 32768 bytes"})
    assert buffer.waiting_items() == 0


def test_an_endless_chunked_body_is_413_and_not_read_further_than_any_route_needs(
    application: Transport, shop: NewProject
) -> None:
    stream = Stream(b" " * (BATCH_LIMIT + 4096))

    status, headers, answer = call(application, "/v1/ingest/batch", stream, **CHUNKED, **signed(BODY, shop))

    assert (status, json.loads(answer)) == (413, {"error": f"body exceeds {BATCH_LIMIT} bytes"})
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert stream.taken == BATCH_LIMIT + 1
    assert counted() == {(shop.project.pk, "too_large"): 1}


def test_a_long_body_with_a_length_is_413_before_it_is_read(application: Transport, shop: NewProject) -> None:
    body = padded(BODY, 40_000)
    stream = Stream(body)

    status, _, answer = call(application, "/v1/ingest", stream, CONTENT_LENGTH="40000", **signed(body, shop))

    assert (status, json.loads(answer)) == (413, {"error": "body exceeds 32768 bytes"})
    assert stream.taken == 0


def test_a_body_that_stops_before_its_length_is_400(application: Transport, shop: NewProject) -> None:
    length = str(len(BODY) + 10)

    status, _, answer = call(application, "/v1/ingest", Stream(BODY), CONTENT_LENGTH=length, **signed(BODY, shop))

    assert (status, json.loads(answer)) == (400, {"error": "failed to read body"})
    assert buffer.waiting_items() == 0


class Broken(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        raise OSError("the client went away")


def test_a_connection_that_breaks_is_400_and_leaves_nothing(application: Transport, shop: NewProject) -> None:
    status, _, _ = call(application, "/v1/ingest", Broken(), CONTENT_LENGTH="500", **signed(BODY, shop))

    assert status == 400
    assert buffer.waiting_items() == 0


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "9" * 5000, "٣"])
def test_a_length_that_is_none_is_a_4xx(length: str, application: Transport, shop: NewProject) -> None:
    status, _, answer = call(application, "/v1/ingest", Stream(BODY), CONTENT_LENGTH=length, **signed(BODY, shop))

    assert 400 <= status < 500
    assert json.loads(answer)["error"]
    assert buffer.waiting_items() == 0


@pytest.mark.parametrize("path", ["/v1/ingest/", "//v1/ingest", "///v1/ingest/"])
def test_slashes_too_many_are_no_redirect(path: str, application: Transport, shop: NewProject) -> None:
    length = str(len(BODY))

    status, _, _ = call(application, path, Stream(BODY), CONTENT_LENGTH=length, **signed(BODY, shop))

    assert status == 200
