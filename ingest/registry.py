"""Which app folds which kind of payload. Apps register in AppConfig.ready(), so ingest imports none of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Payload:
    """One buffered request as its owner sees it."""

    id: int
    project_id: str
    body: bytes
    items: int
    received_ms: int


class Handler(Protocol):
    """What an app does with payloads of its kind."""

    def prepare(self, payloads: Sequence[Payload]) -> Any:
        """Decode and group, without touching the database's write lock. May raise on a poisoned payload."""

    def write(self, prepared: Any) -> None:
        """Write what was prepared. Runs inside the transaction that removes the payloads from the buffer."""

    def split(self, payload: Payload) -> Sequence[bytes]:
        """The bodies of the payload's items, one each, so that a bad item can be told from its neighbours."""


_handlers: dict[str, Handler] = {}
_in_order: set[str] = set()


def register(kind: str, handler: Handler, *, in_order: bool = False) -> None:
    """Make `handler` the owner of `kind`.

    in_order: what a project sent later changes what it sent before, so that of one project one worker folds at a time.
    """
    _handlers[kind] = handler
    if in_order:
        _in_order.add(kind)


def is_in_order(kind: str) -> bool:
    """Whether payloads of one project are to be folded in the order they came in."""
    return kind in _in_order


def handlers() -> dict[str, Handler]:
    """Every kind and its owner."""
    return dict(_handlers)


def handler_of(kind: str) -> Handler:
    """The owner of `kind`. Raises KeyError for a kind nobody registered."""
    return _handlers[kind]
