"""Removes what fired long ago, with its deliveries, and cooldowns that are over (`projects.retention.Purger`)."""

from collections.abc import Sequence
from typing import TypeAlias

from alerts.models import Cooldown, Delivery, Firing
from bloop_site.lib.clock import DAY_MS
from projects import retention
from projects.retention import Batch, Cutoffs

COOLDOWN_DAYS = 30
Rows: TypeAlias = tuple[type[Delivery | Firing], list[int]]


class OldFirings:
    """What fired before the cutoff of hourly counts, which tell why it did."""

    tables: Sequence[str] = ("alerts.Firing", "alerts.Delivery")
    words = "alerts that fired"

    def count(self, cutoffs: Cutoffs) -> int:
        """Firings alone, counted in the index by time; there are about as many deliveries."""
        return Firing.objects.filter(fired_ms__lt=cutoffs.hourly_ms).count()

    def find(self, cutoffs: Cutoffs, *, place: None, limit: int) -> Batch | None:
        """The deliveries of the oldest, then those themselves."""
        old = Firing.objects.filter(fired_ms__lt=cutoffs.hourly_ms).order_by("fired_ms", "pk")
        firings = list(old.values_list("pk", flat=True)[:limit])
        if not firings:
            return None
        deliveries = list(Delivery.objects.filter(firing_id__in=firings).values_list("pk", flat=True)[:limit])
        return Batch((Delivery, deliveries) if deliveries else (Firing, firings))

    def remove(self, rows: Rows) -> int:
        """A digest's own go before or after it; who is left forgets the other."""
        model, ids = rows
        return model.objects.filter(pk__in=ids).delete()[0]


class OldCooldowns:
    """Cooldowns that began thirty days ago: no rule's is longer."""

    tables: Sequence[str] = ("alerts.Cooldown",)
    words = "ends of cooldowns"

    def count(self, cutoffs: Cutoffs) -> int:
        """Counted in the index by age."""
        return Cooldown.objects.filter(fired_ms__lt=before(cutoffs)).count()

    def find(self, cutoffs: Cutoffs, *, place: None, limit: int) -> Batch | None:
        """The oldest."""
        old = Cooldown.objects.filter(fired_ms__lt=before(cutoffs)).order_by("fired_ms")
        ids = list(old.values_list("pk", flat=True)[:limit])
        return Batch(ids) if ids else None

    def remove(self, rows: Sequence[int]) -> int:
        """Nothing points to a cooldown, so this is one statement."""
        return Cooldown.objects.filter(pk__in=rows).delete()[0]


def before(cutoffs: Cutoffs) -> int:
    """The cutoff of cooldowns, in epoch ms."""
    return cutoffs.at_ms - COOLDOWN_DAYS * DAY_MS


def register() -> None:
    """Take part in every pass; called once, in AppConfig.ready."""
    retention.register("firings", OldFirings())
    retention.register("cooldowns", OldCooldowns())
