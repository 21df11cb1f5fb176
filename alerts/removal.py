"""Removes a deleted project's rules and what fired in it, of rules for every project too."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from alerts.models import AlertRule, Channel, Cooldown, Delivery, Firing

Table: TypeAlias = type[Delivery | Cooldown | Firing | Channel | AlertRule]
Rows: TypeAlias = tuple[Table, list[Any]]
# In this order: each before what it points to.
OF_PROJECT: tuple[tuple[Table, str], ...] = (
    (Delivery, "firing__project_id"),
    (Cooldown, "project_id"),
    (Firing, "project_id"),
    (Channel, "rule__project_id"),
    (AlertRule, "project_id"),
)


class AlertsRemover:
    """Everything `alerts` keeps (`projects.removal.Remover`)."""

    tables: Sequence[str] = tuple(f"alerts.{model.__name__}" for model, _ in OF_PROJECT)
    holds_keys = True

    def count(self, project_id: str) -> int:
        """All rows, counted in indexes."""
        return sum(model.objects.filter(**{column: project_id}).count() for model, column in OF_PROJECT)

    def find(self, project_id: str, *, limit: int) -> Rows | None:
        """Up to `limit` rows of the first table that has some."""
        for model, column in OF_PROJECT:
            ids = list(model.objects.filter(**{column: project_id}).values_list("pk", flat=True)[:limit])
            if ids:
                return model, ids
        return None

    def remove(self, found: Rows) -> int:
        """Delete them, with what was added to them since."""
        model, ids = found
        return model.objects.filter(pk__in=ids).delete()[0]
