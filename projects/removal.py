"""What hangs on a project and how it is removed with it. Apps register in AppConfig.ready(), so this imports none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

# Few rows each; they go at once, in the transaction that takes the project away (`projects.services.removal`).
AT_ONCE = (
    "projects.IngestKey",
    "projects.ApiToken",
    "projects.Membership",
    "projects.InvitedTo",
    "projects.RetentionPolicy",
)
# Records of what was done, which outlive the project.
KEPT = ("projects.Removal", "accounts.AuditEntry")


class Remover(Protocol):
    """How an app removes its rows of a project, chunk by chunk."""

    tables: Sequence[str]  # labels of the models it empties, such as "errors.Issue"
    holds_keys: bool  # whether rows point to the project by foreign key: then it cannot go before them

    def count(self, project_id: str) -> int:
        """How many rows there are, for the progress that people see."""

    def find(self, project_id: str, *, limit: int) -> Any:
        """About `limit` rows to remove next, anything true; false when none is left. Only reads: no lock is held."""

    def remove(self, found: Any) -> int:
        """Remove what was found, in the caller's transaction. Returns how many rows went; they may be gone already."""


@dataclass(frozen=True)
class Found:
    """Rows to remove next, and who removes them."""

    remover: Remover
    rows: Any


_removers: dict[str, Remover] = {}


def register(name: str, remover: Remover) -> None:
    """Let `remover` take part in every removal, after those registered before it."""
    _removers[name] = remover


def removers() -> list[Remover]:
    """All of them, in the order they work in."""
    return list(_removers.values())


def count_rows(project_id: str) -> int:
    """How many rows hang on the project."""
    return sum(remover.count(project_id) for remover in removers())


class Search:
    """Finds what hangs on a project, one remover after the other; who has nothing left is not asked again."""

    def __init__(self, project_id: str) -> None:
        self.project_id = project_id
        self.left = removers()

    def next_rows(self, *, limit: int) -> Found | None:
        """About `limit` rows to remove next; None when nobody has any."""
        while self.left:
            rows = self.left[0].find(self.project_id, limit=limit)
            if rows:
                return Found(self.left[0], rows)
            del self.left[0]
        return None


def is_held(project_id: str) -> bool:
    """Whether rows still point to the project by foreign key."""
    return any(remover.holds_keys and bool(remover.find(project_id, limit=1)) for remover in removers())
