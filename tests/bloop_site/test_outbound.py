"""The one outbound client against real servers on this machine: what is an answer, and where it never goes."""

import socket
import time
from typing import Any

import pytest
from django.conf import LazySettings

from bloop_site.lib import outbound
from bloop_site.lib.outbound import OutboundError, Reply, UrlRefused, post, shown_text, target_of
from tests.alerts.conftest import Authority, authority, configure, private_allowed, sinks
from tests.alerts.sinks import Sink, answering, dripping, hanging, shut_port, streaming, trickling
from tests.journeys.server import wait_until

__all__ = ["authority", "private_allowed", "sinks"]


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[tuple[Any, ...]]:
    """Every name stands for these addresses from now on. Returns the questions asked."""
    asked: list[tuple[Any, ...]] = []

    def getaddrinfo(host: str, port: int, *args: Any, **options: Any) -> list[tuple[Any, ...]]:
        asked.append((host, port))
        found = []
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            place = (address, port, 0, 0) if ":" in address else (address, port)
            found.append((family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place))
        return found

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def refusal(url: str, *, seconds: float = 10, body: bytes = b"{}") -> OutboundError:
    with pytest.raises(OutboundError) as caught:
        post(url, body, headers={}, seconds=seconds)
    return caught.value


# --- What is an answer --------------------------------------------------------------------------------------------


def test_a_message_is_posted_as_it_is_and_the_answer_told(private_allowed: None, sinks: Any):
    sink = sinks(answering(201, "grüezi\r\n\x00\x1b[31m you\u202e".encode()))

    reply = post(sink.url("/a b".replace(" ", "%20") + "?x=1&y=ä"), b"\x00raw", headers={"X-Mine": "1"})

    assert reply == Reply(201, "grüezi [31m you")
    (got,) = sink.got
    assert (got.path, got.body) == ("/a%20b?x=1&y=%C3%A4", b"\x00raw")
    assert got.headers["x-mine"] == "1"
    assert got.headers["host"] == f"127.0.0.1:{sink.port}"
    assert got.headers["content-length"] == "4"


@pytest.mark.parametrize(
    ("status", "is_permanent"),
    [*((each, True) for each in (400, 401, 404, 410)), *((each, False) for each in (408, 425, 429, 500, 502, 503))],
)
def test_what_may_pass_is_told_from_what_would_happen_again(
    status: int, *, is_permanent: bool, private_allowed: None, sinks: Any
):
    sink = sinks(answering(status, b"invalid_token", Retry_After="17"))

    error = refusal(sink.url())

    assert (error.permanent, error.status, error.text) == (is_permanent, status, "invalid_token")
    assert error.words == f"it answered {status}"
    assert error.retry_after == "17"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_says_so(status: int, private_allowed: None, sinks: Any):
    other = sinks(answering(200))
    sink = sinks(answering(status, Location=other.url()))

    error = refusal(sink.url())

    assert error.permanent
    assert error.words == f"it answered with a redirect ({status}), which is not followed"
    assert other.got == []


@pytest.mark.parametrize("answer", [hanging, dripping])
def test_who_never_answers_is_left_in_time(answer: Any, private_allowed: None, sinks: Any):
    sink = sinks(answer)

    begun = time.monotonic()
    error = refusal(sink.url(), seconds=1)

    assert 0.9 < time.monotonic() - begun < 6
    assert (error.permanent, error.status, error.words) == (False, None, "no answer within 1 s")


def test_the_time_for_all_of_it_is_ten_seconds():
    assert outbound.SECONDS == 10
    assert (post.__kwdefaults__ or {})["seconds"] == outbound.SECONDS


def test_a_stream_without_end_is_an_answer_of_which_the_beginning_is_read(private_allowed: None, sinks: Any):
    sink = sinks(streaming)

    reply = post(sink.url(), b"{}", headers={})

    assert reply.status == 200
    assert reply.text.startswith("all is well all is well")
    assert len(reply.text) == 500
    wait_until(lambda: is_quiet(sink), what="the connection closed", seconds=10)


def is_quiet(sink: Sink) -> bool:
    before = sink.sent_bytes
    time.sleep(0.2)
    return sink.sent_bytes == before


def test_a_body_that_never_ends_makes_no_failure_of_a_message_that_was_taken(private_allowed: None, sinks: Any):
    sink = sinks(trickling)

    begun = time.monotonic()

    assert post(sink.url(), b"{}", headers={}, seconds=1) == Reply(200, "so far")
    assert time.monotonic() - begun < 6


def test_nobody_there_may_pass(private_allowed: None):
    with shut_port() as port:
        error = refusal(f"http://127.0.0.1:{port}/")

    assert (error.permanent, error.words) == (False, "it cannot be connected to")


def test_something_else_than_http_is_told(private_allowed: None, sinks: Any):
    def rubbish(sink: Any, handler: Any) -> None:
        handler.wfile.write(b"220 mail.example.com ESMTP\r\n")

    error = refusal(sinks(rubbish).url())

    assert (error.permanent, error.words) == (False, "what answered does not speak HTTP")


def test_proxies_of_the_environment_are_not_asked(private_allowed: None, sinks: Any, monkeypatch: pytest.MonkeyPatch):
    proxy, sink = sinks(answering(200)), sinks(answering(200))
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url("/"))

    post(sink.url(), b"{}", headers={})

    assert (len(proxy.got), len(sink.got)) == (0, 1)


def test_an_unknown_name_may_pass(private_allowed: None, monkeypatch: pytest.MonkeyPatch):
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    error = refusal("https://no.such.host.example/")

    assert (error.permanent, error.words) == (False, "its name is not known")


def test_a_resolver_that_hangs_is_left_in_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(6))

    begun = time.monotonic()
    error = refusal("https://slow.example.com/", seconds=0.5)

    assert time.monotonic() - begun < 5
    assert error.words == "its name was not resolved within 0.5 s"


# --- Where it never goes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.5", "169.254.169.254", "0.0.0.0", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fd00::1"],
)
def test_a_name_that_leads_into_a_private_network_is_refused(address: str, sinks: Any, monkeypatch: pytest.MonkeyPatch):
    sink = sinks(answering(200))
    resolving(monkeypatch, address)

    error = refusal(sink.url(host="hooks.example.com"))

    assert (error.permanent, error.words) == (True, "its name leads into a private network")
    assert sink.got == []


def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch):
    resolving(monkeypatch, "8.8.8.8", "2606:4700::1", "127.0.0.1")

    assert refusal("http://hooks.example.com/").words == "its name leads into a private network"


def test_the_name_is_asked_once_and_the_checked_address_is_connected_to(
    private_allowed: None, sinks: Any, monkeypatch: pytest.MonkeyPatch
):
    """So a second, other answer of its name server helps nobody."""
    sink = sinks(answering(200))
    asked = resolving(monkeypatch, "127.0.0.1")

    post(sink.url(host="hooks.example.com"), b"{}", headers={})

    assert asked == [("hooks.example.com", sink.port)]
    assert sink.got[0].headers["host"] == f"hooks.example.com:{sink.port}"


def test_addresses_are_tried_in_turn(private_allowed: None, sinks: Any, monkeypatch: pytest.MonkeyPatch):
    sink = sinks(answering(200))
    resolving(monkeypatch, "::1", "127.0.0.1")  # nothing listens on the first

    assert post(sink.url(host="hooks.example.com"), b"{}", headers={}).status == 200


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://017700000001/",
        "http://0.0.0.0/",
        "http://0/",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://a.localhost/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://10.1.2.3/",
        "http://172.20.0.1/",
        "http://192.168.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.64.1.1/",
        "http://①②⑦.0.0.1/",
    ],
)
def test_a_private_address_as_it_is_written_is_refused_before_anything_is_asked(
    url: str, monkeypatch: pytest.MonkeyPatch
):
    asked = resolving(monkeypatch, "127.0.0.1")

    with pytest.raises(UrlRefused, match="it leads into a private network"):
        target_of(url)
    assert refusal(url).permanent
    assert asked == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://example.com/", "it must begin with https"),
        ("file:///etc/passwd", "it must begin with https"),
        ("example.com/hook", "it must begin with https"),
        ("", "it must begin with https"),
        ("http://user:pw@example.com/", "user name or a password"),
        ("http://user@example.com/", "user name or a password"),
        ("http://@example.com/", "user name or a password"),
        ("https:///path", "names no host"),
        ("https://example.com:0/", "names no host"),
        ("https://example.com:99999/", "cannot be read"),
        ("https://example.com:port/", "cannot be read"),
        ("https://[::1/", "cannot be read"),
        ("https://exa_mple!.com/", "cannot be read"),
        ("https://a..b/", "cannot be read"),
        ("https://example.com/\ud800", "an invisible character"),
        ("https://example.com/?\ud800", "an invisible character"),
        ("https://example.com/#\ud800", "an invisible character"),
        ("https://example.com/a b", "a space, a backslash"),
        ("https://example.com\\@127.0.0.1/", "a space, a backslash"),
        ("https://example.com/\r\nX: y", "a space, a backslash"),
        ("https://example.com/" + "a" * 2048, "longer than 2048"),
    ],
)
def test_an_address_that_is_none_is_refused_in_plain_words(url: str, words: str):
    with pytest.raises(UrlRefused, match=words):
        target_of(url)


@pytest.mark.parametrize(
    ("url", "authority", "port", "path"),
    [
        ("https://hooks.slack.com/services/T/B/x", "hooks.slack.com", 443, "/services/T/B/x"),
        ("http://8.8.8.8:8080", "8.8.8.8:8080", 8080, "/"),
        ("https://[2606:4700::1]/x?a=b#c", "[2606:4700::1]", 443, "/x?a=b"),
        ("https://[2606:4700::1]:80/", "[2606:4700::1]:80", 80, "/"),
        ("https://bücher.example/ü?ü=ü", "xn--bcher-kva.example", 443, "/%C3%BC?%C3%BC=%C3%BC"),
        ("HTTPS://Example.COM./a%2Fb", "example.com", 443, "/a%2Fb"),
    ],
)
def test_an_address_is_read(url: str, authority: str, port: int, path: str):
    target = target_of(url)

    assert (target.authority, target.port, target.path) == (authority, port, path)


def test_what_leads_where_is_told_without_the_address(private_allowed: None, sinks: Any):
    """Of a hook or a bot the path is the secret."""
    sink = sinks(answering(500, b""))

    error = refusal(sink.url("/bot123:secret/send"))

    assert "secret" not in f"{error} {error!r} {error.__dict__}"


def test_private_addresses_are_allowed_by_the_setting_alone(sinks: Any, settings: LazySettings):
    sink = sinks(answering(200))
    assert refusal(sink.url()).permanent

    configure(settings, "alerting", allow_private_addresses=True)

    assert post(sink.url(), b"{}", headers={}).status == 200


# --- TLS ----------------------------------------------------------------------------------------------------------


def test_a_certificate_of_a_trusted_authority_for_the_name_is_taken(
    private_allowed: None, authority: Authority, sinks: Any, monkeypatch: pytest.MonkeyPatch
):
    sink = sinks(answering(200), context=authority.context("hooks.example.com"))
    resolving(monkeypatch, "127.0.0.1")

    assert post(sink.url(host="hooks.example.com"), b"{}", headers={}).status == 200


def test_a_certificate_for_another_name_is_not(
    private_allowed: None, authority: Authority, sinks: Any, monkeypatch: pytest.MonkeyPatch
):
    sink = sinks(answering(200), context=authority.context("other.example.com"))
    resolving(monkeypatch, "127.0.0.1")

    error = refusal(sink.url(host="hooks.example.com"))

    assert error.words.startswith("its certificate is not trusted: Hostname mismatch")
    assert sink.got == []


def test_a_certificate_for_the_address_does_not_stand_for_the_name(
    private_allowed: None, authority: Authority, sinks: Any, monkeypatch: pytest.MonkeyPatch
):
    sink = sinks(answering(200), context=authority.context("127.0.0.1"))
    resolving(monkeypatch, "127.0.0.1")

    assert "certificate" in refusal(sink.url(host="hooks.example.com")).words


def test_a_certificate_of_nobodys_is_not(
    private_allowed: None, authority: Authority, sinks: Any, monkeypatch: pytest.MonkeyPatch
):
    sink = sinks(answering(200), context=authority.context("hooks.example.com"))
    resolving(monkeypatch, "127.0.0.1")
    monkeypatch.delenv("SSL_CERT_FILE")
    outbound.trusted.cache_clear()

    error = refusal(sink.url(host="hooks.example.com"))

    assert error.words.startswith("its certificate is not trusted: ")
    assert (error.permanent, sink.got) == (False, [])


def test_plain_http_where_tls_is_meant_is_told(private_allowed: None, sinks: Any):
    sink = sinks(answering(200))

    error = refusal(sink.url().replace("http:", "https:"))

    assert error.words == "it does not speak TLS as we do"


@pytest.mark.parametrize(
    ("raw", "text"),
    [(b"ok", "ok"), (b" a\r\n\tb\x00\x07 ", "a b"), (b"\xff\xfe", "\ufffd\ufffd"), (b"x" * 501, "x" * 500), (b"", "")],
)
def test_what_is_shown_is_one_line_of_text(raw: bytes, text: str):
    assert shown_text(raw) == text
