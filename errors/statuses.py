"""Rules of the status machine that need no database (contract 3.2). Pure."""

from dataclasses import asdict, dataclass
from typing import Any

STATUSES = ("unresolved", "resolved", "ignored", "muted")
NO_RELEASE = "unknown"  # what an event without a release has (contract 1.6)


def mute_is_over(*, until_ms: int | None, until_count: int | None, now_ms: int, total_count: int) -> bool:
    """Whether a mute has run out: its time has come, or the issue's total has reached its number. Never without either.

    Times in epoch milliseconds.
    """
    return (until_ms is not None and now_ms >= until_ms) or (until_count is not None and total_count >= until_count)


@dataclass(frozen=True)
class Change:
    """A status and what it is given with.

    muted_until_ms: when a mute ends by itself. muted_until_count: the issue's total at which it ends.
    in_next_release: a resolve that only events of later releases take back.
    Raises ValueError for an unknown status, and for what does not go with it.
    """

    status: str
    muted_until_ms: int | None = None
    muted_until_count: int | None = None
    in_next_release: bool = False

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            msg = f"unknown status: {self.status}"
            raise ValueError(msg)
        if self.status != "muted" and (self.muted_until_ms is not None or self.muted_until_count is not None):
            msg = "only a mute has an end"
            raise ValueError(msg)
        if self.in_next_release and self.status != "resolved":
            msg = "only a resolve waits for the next release"
            raise ValueError(msg)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Change":
        return cls(**value)
