"""What was refused of a project's, for its page: who counts it puts a reader here, because imports point down."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """How often something was refused for one reason, and the last time (epoch ms). help: what to do about it."""

    reason: str
    label: str
    help: str
    count: int
    last_ms: int
    last_text: str
    last_address: str


@dataclass(frozen=True)
class Refusals:
    """What was refused in the last 24 hours, a row for each reason, the newest first."""

    rows: Sequence[Refusal] = ()

    @property
    def total(self) -> int:
        return sum(row.count for row in self.rows)


Reader = Callable[[str, int], Refusals]

_readers: list[Reader] = []


def register(reader: Reader) -> None:
    """Ask `reader(project_id, now_ms)` from now on; called in AppConfig.ready of the app that refuses."""
    if reader not in _readers:
        _readers.append(reader)


def refused_of(project_id: str, *, now_ms: int) -> Refusals:
    """What was refused of the project's in the last 24 hours, the newest first."""
    rows = [row for reader in _readers for row in reader(project_id, now_ms).rows]
    return Refusals(sorted(rows, key=lambda row: row.last_ms, reverse=True))
