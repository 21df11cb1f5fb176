"""Removes old counts of refusals, and dead letters nobody wanted (`projects.retention.Purger`)."""

from collections.abc import Sequence

from bloop_site.lib.clock import DAY_MS
from ingest.models import DeadPayload, RefusedCount
from projects.retention import HOURLY_DAYS, Batch, Cutoffs


class OldRefusals:
    """Refusals counted in hours before the hourly cutoff."""

    tables: Sequence[str] = ("ingest.RefusedCount",)
    words = "counts of refusals"

    def count(self, cutoffs: Cutoffs) -> int:
        """Counted in the index by age."""
        return RefusedCount.objects.filter(hour_ms__lt=cutoffs.hourly_ms).count()

    def find(self, cutoffs: Cutoffs, *, place: None, limit: int) -> Batch | None:
        """The oldest."""
        old = RefusedCount.objects.filter(hour_ms__lt=cutoffs.hourly_ms).order_by("hour_ms")
        ids = list(old.values_list("pk", flat=True)[:limit])
        return Batch(ids) if ids else None

    def remove(self, rows: Sequence[int]) -> int:
        """Delete them."""
        return RefusedCount.objects.filter(pk__in=rows).delete()[0]


class OldDeadLetters:
    """Dead letters buried before the hourly cutoff, and at least 90 days ago.

    Each holds events that were accepted and that nobody has seen: a short retention of counts must not take them.
    """

    tables: Sequence[str] = ("ingest.DeadPayload",)
    words = "dead letters"

    def before_ms(self, cutoffs: Cutoffs) -> int:
        return min(cutoffs.hourly_ms, cutoffs.at_ms - HOURLY_DAYS * DAY_MS)

    def count(self, cutoffs: Cutoffs) -> int:
        """Counted in the index by burial."""
        return DeadPayload.objects.filter(buried_ms__lt=self.before_ms(cutoffs)).count()

    def find(self, cutoffs: Cutoffs, *, place: None, limit: int) -> Batch | None:
        """Those buried first."""
        old = DeadPayload.objects.filter(buried_ms__lt=self.before_ms(cutoffs)).order_by("buried_ms")
        ids = list(old.values_list("pk", flat=True)[:limit])
        return Batch(ids) if ids else None

    def remove(self, rows: Sequence[int]) -> int:
        """Delete them, except those somebody has retried meanwhile."""
        return DeadPayload.objects.filter(pk__in=rows).delete()[0]
