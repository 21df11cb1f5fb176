"""The one client that Bloop sends with: a POST to an address that somebody typed in and that may lead anywhere.

Addresses are checked where the connection is made, so no answer of a name server comes between check and connection.
No redirects, no proxies, no cookies; everything together ends in time.
"""

import functools
import queue
import socket
import ssl
import threading
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast
from urllib.parse import quote, urlsplit

import httpcore
from django.conf import settings

from bloop_site.lib.addresses import is_public
from bloop_site.lib.hosts import is_local

SECONDS = 10.0  # for all of it: name, connection, TLS, question and answer (contract 6.2)
MAX_READ_BYTES = 64 * 1024
MAX_SHOWN = 500
MAX_URL = 2048
PORTS = {"http": 80, "https": 443}
MAY_PASS = {408, 425, 429}  # and 5xx
UNRESERVED = "/%:@!$&'()*+,;=-._~"
Result = TypeVar("Result")
Address = tuple[Any, ...]  # as getaddrinfo gives them: family, kind, protocol, name, (host, port, …)


@dataclass(frozen=True)
class Reply:
    """A 2xx answer. text: its first 500 characters, safe to show."""

    status: int
    text: str


class OutboundError(Exception):
    """It did not arrive. permanent: the same would happen again. status, text, retry_after: of the answer, if one came.

    Its words never hold the address, which may be a secret.
    """

    def __init__(
        self,
        words: str,
        *,
        permanent: bool,
        status: int | None = None,
        text: str = "",
        retry_after: str | None = None,
    ) -> None:
        super().__init__(words)
        self.words = words
        self.permanent = permanent
        self.status = status
        self.text = text
        self.retry_after = retry_after


class UrlRefused(OutboundError):
    """The address as it is written cannot be sent to."""

    def __init__(self, words: str) -> None:
        super().__init__(words, permanent=True)


# --- The address as written ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """Where a URL leads. host: in ASCII. path: with the query, escaped."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def url(self) -> httpcore.URL:
        return httpcore.URL(
            scheme=self.scheme.encode(), host=self.host.encode(), port=self.port, target=self.path.encode()
        )

    @property
    def authority(self) -> str:
        """What the Host header says: the port only if it is not the usual one, brackets around an IPv6 address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """Where it leads. Raises UrlRefused for what can be told by its text: scheme, credentials, an address of ours."""
    if len(url) > MAX_URL:
        raise UrlRefused(f"it is longer than {MAX_URL} characters")
    if any(letter <= " " or letter in "\\\x7f" for letter in url):
        raise UrlRefused("it holds a space, a backslash or a control character")
    if any("\ud800" <= letter <= "\udfff" for letter in url):  # half of a pair, which no database keeps
        raise UrlRefused("it cannot be read")
    try:
        parts = urlsplit(url)
        host, port = ascii_host(parts.hostname or ""), parts.port
    except ValueError:
        raise UrlRefused("it cannot be read") from None
    if parts.scheme not in ("http", "https"):
        raise UrlRefused("it must begin with https:// or http://")
    if "@" in parts.netloc:
        raise UrlRefused("it must not hold a user name or a password")
    if not host or port == 0:
        raise UrlRefused("it names no host")
    if not allows_private() and is_ours(host):
        raise UrlRefused("it leads into a private network")
    query = f"?{quote(parts.query, safe=UNRESERVED + '?')}" if parts.query else ""
    path = quote(parts.path or "/", safe=UNRESERVED) + query
    return Target(parts.scheme, host, port or PORTS[parts.scheme], path)


def ascii_host(host: str) -> str:
    """A host as name servers know it. Raises ValueError for what no host is called."""
    host = host.rstrip(".")
    host = host if ":" in host else host.encode("idna").decode()
    if not all(letter.isalnum() or letter in "-._:" for letter in host):
        raise ValueError(host)
    return host


def is_ours(host: str) -> bool:
    """Whether a host is an address of a private network, in any of its spellings, or this machine by name."""
    try:
        host = socket.inet_ntoa(socket.inet_aton(host))  # also 127.1, 2130706433 and 0x7f000001
    except OSError:
        if ":" not in host:
            return is_local(host)
    return not is_public(host)


def allows_private() -> bool:
    return bool(settings.BLOOP.alerting.allow_private_addresses)


# --- The connection -----------------------------------------------------------------------------------------------


class Deadline:
    """The moment by which everything has to be done."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.ends = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds, always some. Raises TimeoutError when none are left."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class Line(httpcore.NetworkStream):
    """A connection on which no drip of bytes outlasts the deadline; httpcore's timeouts are for each read."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self.sock = sock
        self.deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with as_httpcore(httpcore.ReadTimeout, httpcore.ReadError):
            self.sock.settimeout(self.deadline.left())
            return self.sock.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with as_httpcore(httpcore.WriteTimeout, httpcore.WriteError):
            while buffer:
                self.sock.settimeout(self.deadline.left())
                buffer = buffer[self.sock.send(buffer) :]

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """The handshake as a whole has what is left; the certificate is checked against the name, not the address."""
        with as_httpcore(httpcore.ConnectTimeout, httpcore.ConnectError):
            self.sock.settimeout(self.deadline.left())
            return Line(ssl_context.wrap_socket(self.sock, server_hostname=server_hostname), self.deadline)

    def close(self) -> None:
        self.sock.close()


@contextmanager
def as_httpcore(timeout: type[Exception], error: type[Exception]) -> Iterator[None]:
    """Name failures as httpcore does: it reads the answer of a server that stopped listening."""
    try:
        yield
    except TimeoutError as cause:
        raise timeout from cause
    except OSError as cause:
        raise error from cause


class CheckedBackend(httpcore.NetworkBackend):
    """Connects to addresses of the world only, all of what the name stands for, and to those it has checked."""

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Raises OutboundError when any address is private, when there is none, or when none answers."""
        found = resolve(host, port, deadline=self.deadline)
        if not allows_private() and not all(is_public(address[0]) for *_, address in found):
            raise OutboundError("its name leads into a private network", permanent=True)
        return Line(connect_to_any(found, deadline=self.deadline), self.deadline)


def resolve(host: str, port: int, *, deadline: Deadline) -> list[Address]:
    """The addresses of a name. Raises OutboundError, TimeoutError."""
    try:
        found = within(deadline.left(), lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except TimeoutError:
        raise OutboundError(f"its name was not resolved within {deadline.seconds:g} s", permanent=False) from None
    except (OSError, UnicodeError):
        found = []
    if not found:
        raise OutboundError("its name is not known", permanent=False)
    return [*found]


def within(seconds: float, work: Callable[[], Result], *, call_off: Callable[[], None] = lambda: None) -> Result:
    """What `work` returns or raises, done in a thread of its own: for what cannot be told how long it may take.

    Raises TimeoutError after `seconds`, having called `call_off`; the thread is left to itself then.
    """
    answers: queue.SimpleQueue[tuple[Result | None, Exception | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((work(), None))
        except Exception as error:  # noqa: BLE001  raised again where it is waited for
            answers.put((None, error))

    threading.Thread(target=run, name="outbound", daemon=True).start()
    try:
        result, error = answers.get(timeout=seconds)
    except queue.Empty:
        call_off()
        raise TimeoutError from None
    if error is not None:
        raise error
    return cast("Result", result)


def connect_to_any(found: list[Address], *, deadline: Deadline) -> socket.socket:
    """Connect to the first of them that answers; each has its share of what is left. Raises OutboundError."""
    for number, (family, kind, protocol, _, address) in enumerate(found):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(deadline.left() / (len(found) - number))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:  # TimeoutError among them
            sock.close()
        else:
            return sock
    raise OutboundError("it cannot be connected to", permanent=False)


@functools.lru_cache(maxsize=1)
def trusted() -> ssl.SSLContext:
    """The authorities of this system and certifi's; SSL_CERT_FILE adds one's own. Read once: it takes 20 ms."""
    return httpcore.default_ssl_context()


# --- Question and answer ------------------------------------------------------------------------------------------


def post(url: str, body: bytes, *, headers: Mapping[str, str], seconds: float = SECONDS) -> Reply:
    """POST once, and tell of the answer. Raises OutboundError for all but a 2xx."""
    target, deadline = target_of(url), Deadline(seconds)
    sent = {"Host": target.authority, "User-Agent": "bloop", "Accept": "*/*", "Connection": "close", **headers}
    try:
        with (
            httpcore.HTTPConnection(
                target.url.origin, ssl_context=trusted(), network_backend=CheckedBackend(deadline)
            ) as connection,
            connection.stream("POST", target.url, headers=list(sent.items()), content=body) as response,
        ):
            return judged(response)
    except (httpcore.TimeoutException, TimeoutError):
        raise OutboundError(f"no answer within {seconds:g} s", permanent=False) from None
    except httpcore.ConnectError as error:
        raise OutboundError(tls_words(error.__cause__), permanent=False) from None
    except (httpcore.NetworkError, OSError):
        raise OutboundError("the connection broke", permanent=False) from None
    except httpcore.ProtocolError:
        raise OutboundError("what answered does not speak HTTP", permanent=False) from None


def judged(response: httpcore.Response) -> Reply:
    """The reply. Raises OutboundError for all but a 2xx."""
    status, text = response.status, shown_text(beginning(response))
    if 200 <= status < 300:
        return Reply(status, text)
    if 300 <= status < 400:
        words = f"it answered with a redirect ({status}), which is not followed"
        raise OutboundError(words, permanent=True, status=status, text=text)
    waits = header(response, b"retry-after")
    raise OutboundError(
        f"it answered {status}",
        permanent=not (status in MAY_PASS or status >= 500),
        status=status,
        text=text,
        retry_after=waits.decode("latin-1") if waits else None,
    )


def header(response: httpcore.Response, name: bytes) -> bytes | None:
    """A header, in whatever case it came."""
    return next((value for each, value in response.headers if each.lower() == name), None)


def beginning(response: httpcore.Response) -> bytes:
    """Up to 64 KB of the body. Whatever happens to it, the status has come, and with it whether the message arrived."""
    read = b""
    try:
        for part in response.iter_stream():
            read += part
            if len(read) >= MAX_READ_BYTES:
                break
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        pass
    return read[:MAX_READ_BYTES]


def shown_text(raw: bytes) -> str:
    """The first 500 characters: on one line, without control characters and those that turn the writing round."""
    text = raw.decode("utf-8", "replace")
    plain = "".join(" " if unicodedata.category(letter).startswith("C") else letter for letter in text)
    return " ".join(plain.split())[:MAX_SHOWN]


def tls_words(cause: BaseException | None) -> str:
    """What went wrong between connection and question."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {cause.verify_message}"
    return "it does not speak TLS as we do" if isinstance(cause, ssl.SSLError) else "the connection broke"
