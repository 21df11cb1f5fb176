"""What every kind of channel is made of: its fields, how its config is read, how it sends, what is shown of it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from alerts.channels.texts import ending, without
from alerts.messages import Facts, link_of
from bloop_site.lib.outbound import OutboundError, UrlRefused, post, target_of

MAX_SECRET = 256


class ChannelInvalid(ValueError):
    """Says what is wrong with a channel, in words for whoever set it up (contract 6.1)."""


class ChannelError(OutboundError):
    """A message did not arrive. permanent: trying again is of no use. status, text, retry_after: of the answer."""

    @property
    def whole(self) -> str:
        """What went wrong, and what was answered."""
        return f"{self.words}: {self.text}" if self.text else self.words


@dataclass(frozen=True)
class Sent:
    """It was taken. text: the beginning of the answer, safe to show."""

    status: int | None
    text: str


@dataclass(frozen=True)
class Field:
    """One input of a channel's form; its value stands in the config under `name`. is_secret: shown to nobody again."""

    name: str
    label: str
    placeholder: str
    is_secret: bool = False
    is_required: bool = True
    help: str = ""


class Kind(Protocol):
    """A kind of channel: a module of this package, or what stands in it as KIND."""

    @property
    def FIELDS(self) -> Sequence[Field]: ...  # noqa: N802  a constant of the module

    def parse(self, raw: Mapping[Any, Any], /) -> dict[str, Any]:
        """Its config without `type`, all keys there. Raises ChannelInvalid."""

    def send(self, facts: Facts, config: Mapping[str, Any], secret: str, /) -> Sent:
        """Send now, for at most 10 s. Touches no table. Raises ChannelError."""

    def shown(self, config: Mapping[str, Any], /) -> str:
        """Where it leads, in a few characters that give nothing away."""

    def host_of(self, config: Mapping[str, Any], /) -> str:
        """Whom it depends on: channels of one host are slow together."""


# --- Reading a config ---------------------------------------------------------------------------------------------


def text_in(raw: Mapping[Any, Any], *names: str) -> str:
    """The first of these keys that says something, else ""."""
    values = (raw.get(name) for name in names)
    return next((value.strip() for value in values if isinstance(value, str) and value.strip()), "")


def url_in(raw: Mapping[Any, Any], *names: str) -> str:
    """A web address that may be sent to, as far as its text tells. Raises ChannelInvalid."""
    url = text_in(raw, *names)
    if not url:
        raise ChannelInvalid("invalid channel URL: it is missing")
    try:
        target_of(url)
    except UrlRefused as error:
        raise ChannelInvalid(f"invalid channel URL: {error.words}") from None
    return url


def token_in(raw: Mapping[Any, Any], name: str, *, words: str, required: bool = True) -> str:
    """Printable ASCII without spaces, as keys are. Raises ChannelInvalid("invalid <words>")."""
    token = text_in(raw, name)
    if not token and not required:
        return ""
    if not (0 < len(token) <= MAX_SECRET and token.isascii() and token.isprintable() and " " not in token):
        raise ChannelInvalid(f"invalid {words}")
    return token


# --- Sending ------------------------------------------------------------------------------------------------------


def encoded(payload: object) -> bytes:
    """JSON as it is sent. Half a surrogate pair, which is no text, becomes a question mark."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def post_json(
    url: str, payload: object, *, headers: Mapping[str, str] | None = None, secrets: tuple[str, ...] = ()
) -> Sent:
    """POST the payload as JSON."""
    return post_body(url, encoded(payload), headers=headers, secrets=secrets)


def post_body(
    url: str, body: bytes, *, headers: Mapping[str, str] | None = None, secrets: tuple[str, ...] = ()
) -> Sent:
    """POST; what is told of the answer holds neither `secrets` nor the address. Raises ChannelError."""
    hidden = (*secrets, url, urlsplit(url).path, urlsplit(url).query)
    try:
        reply = post(url, body, headers={"Content-Type": "application/json", **(headers or {})})
    except OutboundError as error:
        raise ChannelError(
            error.words,
            permanent=error.permanent,
            status=error.status,
            text=without(error.text, hidden),
            retry_after=error.retry_after,
        ) from None
    return Sent(reply.status, without(reply.text, hidden))


def shown_url(url: str) -> str:
    """Its host, and the end of what may be a secret."""
    parts = urlsplit(url)
    rest = parts.path + (f"?{parts.query}" if parts.query else "")
    return f"{parts.hostname or ''}/{ending(rest)}" if rest.strip("/") else parts.hostname or ""


def host_in(url: str) -> str:
    return urlsplit(url).hostname or ""


@dataclass(frozen=True)
class Hook:
    """A kind that is one secret address, which takes a service's own JSON.

    None of these services knows a key against repeats: a message tried again may stand there twice.
    """

    field: Field
    payload: Callable[[Facts, str], dict[str, Any]]  # of the facts and a link to them

    @property
    def FIELDS(self) -> Sequence[Field]:  # noqa: N802  as a module has it
        return (self.field,)

    def parse(self, raw: Mapping[Any, Any]) -> dict[str, Any]:
        """`url` and `webhook_url` are taken for each other (contract 6.2)."""
        return {self.field.name: url_in(raw, self.field.name, "url", "webhook_url")}

    def send(self, facts: Facts, config: Mapping[str, Any], secret: str) -> Sent:
        return post_json(config[self.field.name], self.payload(facts, link_of(facts)))

    def shown(self, config: Mapping[str, Any]) -> str:
        return shown_url(config[self.field.name])

    def host_of(self, config: Mapping[str, Any]) -> str:
        return host_in(config[self.field.name])
