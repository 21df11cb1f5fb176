"""A body larger than its path takes is refused by its length, before anybody reads it (contract 9.4)."""

import io
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client, RequestFactory

from bloop_site.lib.bodies import MAX_FORM, MAX_UPLOAD, body_limit
from bloop_site.lib.parsers import MAX_BODY
from bloop_site.transport import Transport
from ingest.refusals import refusals
from projects.services.projects import NewProject
from tests.factories import sign
from tests.wsgi import Answer, connections_kept

pytestmark = pytest.mark.django_db
FORM = "application/x-www-form-urlencoded"
PAGES = ("/auth/recover", "/auth/sign-out", "/settings/projects", "/admin/projects/project/add/", "/nowhere")
JSON = ("/v1/projects", "/v1/tokens", "/auth/login/start", "/v1/nowhere")


class Stream(io.RawIOBase):
    """A body of zeros without end that counts what is read of it."""

    def __init__(self, length: int) -> None:
        self.length, self.taken = length, 0

    def read(self, size: int = -1) -> bytes:
        size = self.length - self.taken if size < 0 else min(size, self.length - self.taken)
        self.taken += size
        return b"0" * size


def post(path: str, length: int, *, chunked: bool = False, **environ: Any) -> tuple[Answer, int]:
    """The whole application's answer to a body of `length`, and how much of it was read."""
    stream = Stream(length)
    whole = RequestFactory().post("/", b"", content_type=FORM).environ
    sized = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""} if chunked else {"CONTENT_LENGTH": str(length)}
    whole |= {"PATH_INFO": path, "wsgi.input": stream, **sized, **environ}
    said: list[Any] = []
    with connections_kept():
        parts = Transport(WSGIHandler())(whole, lambda status, headers, *_: said.extend((status, headers)))
        content = b"".join(parts)
    return Answer(int(said[0].split()[0]), {name.lower(): value for name, value in said[1]}, content), stream.taken


@pytest.mark.parametrize("path", PAGES)
def test_a_page_refuses_it_unread_with_a_page_and_all_headers(path: str):
    answer, taken = post(path, MAX_FORM + 1)

    assert (answer.status, taken) == (413, 0)
    assert "That was too much" in answer.body.decode()
    assert answer.headers["x-frame-options"] == "DENY"
    assert "default-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", JSON)
def test_the_api_refuses_it_unread_in_its_shape(path: str):
    answer, taken = post(path, MAX_BODY + 1)

    assert (answer.status, taken) == (413, 0)
    assert answer.json() == {"error": f"body exceeds {MAX_BODY} bytes"}


@pytest.mark.parametrize("path", [*PAGES, *JSON])
def test_without_a_length_one_byte_too_many_is_read_and_no_more(path: str):
    limit = body_limit(path)

    answer, taken = post(path, limit * 3, chunked=True)

    assert (answer.status, taken) == (413, limit + 1)


@pytest.mark.parametrize("path", [*PAGES, *JSON])
def test_a_body_of_the_limit_is_not_refused_for_its_size(path: str):
    answer, _ = post(path, body_limit(path))

    assert answer.status != 413


@pytest.mark.parametrize("path", ["/v1/projects/shop/sourcemaps", "/settings/projects/shop/sourcemaps"])
def test_source_maps_have_an_allowance_of_their_own(path: str, shop: NewProject):
    assert post(path, MAX_UPLOAD)[0].status != 413
    refused, taken = post(path, MAX_UPLOAD + 1)
    assert (refused.status, taken) == (413, 0)
    assert body_limit(f"{path}-else") < MAX_UPLOAD


def test_nobody_needs_to_be_signed_in_to_be_refused_and_nobody_is_let_through_for_it(admin_client: Client):
    cookie = f"session={admin_client.cookies['session'].value}"

    assert post("/settings/projects", MAX_FORM + 1, HTTP_COOKIE=cookie)[0].status == 413
    assert post("/settings/projects", MAX_FORM + 1)[0].status == 413


@pytest.mark.parametrize("chunked", [False, True])
def test_ingest_keeps_its_own_limits_and_counts_what_it_refuses(chunked: object, shop: NewProject):
    headers = {"HTTP_X_PROJECT_KEY": shop.api_key, "HTTP_X_SIGNATURE": sign(b"", shop.api_key)}

    answer, _ = post("/v1/ingest", 32_769, chunked=bool(chunked), **headers)

    assert (answer.status, answer.json()) == (413, {"error": "body exceeds 32768 bytes"})
    assert [place.reason for place in refusals.held] == ["too_large"]


@pytest.mark.parametrize("length", ["", "x", "-5", "1e9"])
def test_a_length_that_is_no_number_is_none(length: str):
    answer, taken = post("/auth/recover", 10, CONTENT_LENGTH=length)

    assert (answer.status, taken) != (413, 0)
