"""Hourly counts read the slow way: what packs, and what is read through them, must say."""

from collections import Counter

from bloop_site.lib.clock import HOUR_MS
from errors.models import HourlyCount, PackedHours
from errors.models.alerting import SPAN_MS, span_of
from errors.packing import unpacked
from errors.queries.packed import HourCounts
from errors.queries.trends import Window

T = 1_760_000_000_000 - 1_760_000_000_000 % SPAN_MS  # a span begins


def stored_in_pack(pack: PackedHours) -> Counter[tuple[int, str, int]]:
    """Issue, environment and hour of all that a pack holds, with the events."""
    found: Counter[tuple[int, str, int]] = Counter()
    for record in unpacked(pack.data):
        for hour, count in enumerate(record["counts"].tolist()):
            if count:
                place = (
                    int(record["issue_id"]),
                    pack.environments[record["environment"]],
                    pack.start_ms + hour * HOUR_MS,
                )
                found[place] += count
    return found


def stored_in_rows(pack: PackedHours) -> Counter[tuple[int, str, int]]:
    """The same of HourlyCount, for the hours that the pack says it holds."""
    rows = HourlyCount.objects.filter(
        issue__project=pack.project_id,
        hour_ms__gte=pack.start_ms,
        hour_ms__lt=pack.start_ms + pack.hours * HOUR_MS,
    )
    found: Counter[tuple[int, str, int]] = Counter()
    for row in rows:
        found[row.issue_id, row.environment, row.hour_ms] += row.count
    return found


def wrong_packs() -> list[str]:
    """The packs that do not say what HourlyCount says, and the six hours that lack a row."""
    packs = list(PackedHours.objects.all())
    have = {(pack.project_id, pack.start_ms) for pack in packs}
    counted = HourlyCount.objects.values_list("issue__project_id", "hour_ms").distinct()
    lacking = {(project_id, span_of(hour_ms)) for project_id, hour_ms in counted} - have
    return [str(pack) for pack in packs if stored_in_pack(pack) != stored_in_rows(pack)] + [
        str(each) for each in lacking
    ]


def read_slowly(window: Window, *, environment: str = "", project_id: str | None = None) -> dict[int, list[int]]:
    """Events in each hour of each issue that shows them."""
    rows = HourlyCount.objects.filter(
        hour_ms__gte=window.start_ms, hour_ms__lt=window.end_ms, issue__project__removing_at=None
    ).select_related("issue")
    if environment:
        rows = rows.filter(environment=environment)
    if project_id is not None:
        rows = rows.filter(issue__project=project_id)
    found: dict[int, list[int]] = {}
    for row in rows:
        head = row.issue.merged_into_id or row.issue_id
        found.setdefault(head, [0] * window.hours)[(row.hour_ms - window.start_ms) // HOUR_MS] += row.count
    return found


def as_dict(counts: HourCounts) -> dict[int, list[int]]:
    return dict(zip(counts.issue_ids.tolist(), counts.counts.tolist(), strict=True))
