"""Removes what a deleted project still has in the buffer and among the dead letters."""

from collections.abc import Sequence
from typing import TypeAlias

from ingest.models import BufferedPayload, DeadPayload, RefusedCount

Table: TypeAlias = type[BufferedPayload] | type[DeadPayload] | type[RefusedCount]
Rows: TypeAlias = tuple[Table, list[int]]
TABLES: tuple[Table, ...] = (BufferedPayload, DeadPayload, RefusedCount)


class PayloadRemover:
    """The tables of `ingest` (`projects.removal.Remover`).

    They have no index on the project, for every row would pay for it; so `find` reads all of them, outside any lock.
    A payload that comes in later is dropped by whoever folds it.
    """

    tables: Sequence[str] = tuple(f"ingest.{model.__name__}" for model in TABLES)
    holds_keys = False

    def count(self, project_id: str) -> int:
        """Payloads, whatever they hold."""
        return sum(model.objects.filter(project_id=project_id).count() for model in TABLES)

    def find(self, project_id: str, *, limit: int) -> Rows | None:
        """Up to `limit` payloads of one table."""
        for model in TABLES:
            ids = list(model.objects.filter(project_id=project_id).values_list("pk", flat=True)[:limit])
            if ids:
                return model, ids
        return None

    def remove(self, found: Rows) -> int:
        """Delete them, except those a flush was quicker with."""
        model, ids = found
        return model.objects.filter(pk__in=ids).delete()[0]
