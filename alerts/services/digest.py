"""One message for what was held back: how many more alerts a rule had, and the top five of them."""

from collections import Counter
from collections.abc import Sequence
from urllib.parse import urlencode

from django.db import transaction
from django.db.models import Min
from django.urls import reverse

from alerts.models import AlertRule, Firing
from alerts.services.fire import Projects, queue_all
from bloop_site.lib.clock import MINUTE_MS
from bloop_site.lib.db import survives_deadlock
from bloop_site.lib.turn import write_turn
from errors.queries.alerting import total_counts

SHOWN = 5


def due_rules(*, now_ms: int) -> list[int]:
    """The rules that hold something for a minute, or from a clock that ran ahead. One query, answered by its index."""
    held = Firing.objects.filter(is_held=True, digest__isnull=True)
    waiting = held.values_list("rule_id").annotate(first=Min("fired_ms"))
    waiting = waiting.exclude(first__gt=now_ms - MINUTE_MS, first__lte=now_ms + MINUTE_MS)
    return sorted(rule_id for rule_id, _ in waiting.order_by())


@survives_deadlock
def tell(rule_id: int, projects: Projects, *, now_ms: int) -> list[int]:
    """Make one firing of all that the rule holds, and queue it. Returns the ids of its deliveries.

    The rule is locked: of two workers one makes it and the other finds nothing held. A rule that was switched off
    keeps still; what it held is then told by nobody.
    """
    with write_turn, transaction.atomic():
        rule = AlertRule.objects.select_for_update(no_key=True).filter(pk=rule_id).first()
        waiting = Firing.objects.filter(rule=rule_id, is_held=True, digest__isnull=True)
        held = list(waiting.order_by("pk"))
        if rule is None or not held:
            return []
        digest = digest_of(rule, held, projects, now_ms=now_ms)
        digest.save()
        waiting.update(digest=digest)  # the same ones, for the rule is locked; a list of them may be too long
        return queue_all([digest.pk], now_ms=now_ms) if rule.is_enabled else []


def digest_of(rule: AlertRule, held: Sequence[Firing], projects: Projects, *, now_ms: int) -> Firing:
    """The firing that tells of these, unsaved; of a rule of all projects it stands with the one that had the most."""
    of_projects = Counter(firing.project_id for firing in held)
    project_id, _ = of_projects.most_common(1)[0]
    more = f"{len(held):,} more alert" if len(held) == 1 else f"{len(held):,} more alerts"
    where = projects[project_id].name if project_id in projects else project_id
    if len(of_projects) > 1:
        where = f"{len(of_projects):,} projects"
    details: dict[str, object] = {"lines": [[firing.title, count] for firing, count in top(held)]}
    details["url"] = reverse("errors:list")
    if len(of_projects) == 1 and project_id in projects:
        details["url"] = f"{details['url']}?{urlencode({'project': projects[project_id].slug})}"
    return Firing(
        rule=rule,
        project_id=project_id,
        cause=f"digest:{held[0].pk}",
        key="",
        title=f"{more} of {rule.name}"[:200],
        message=f"{more} of this rule within a minute, in {where}",
        measured=len(held),
        details=details,
        is_digest=True,
        fired_ms=now_ms,
    )


def top(held: Sequence[Firing]) -> list[tuple[Firing, str]]:
    """The five that happened most often, with how often that was; what has no issue by what its rule measured."""
    named = {(firing.project_id, firing.fingerprint) for firing in held if firing.fingerprint is not None}
    totals = total_counts(named)

    def size(firing: Firing) -> float:
        return totals.get((firing.project_id, firing.fingerprint or ""), firing.measured or 0)

    once = {(firing.project_id, firing.key): firing for firing in held}
    largest = sorted(once.values(), key=lambda firing: (-size(firing), firing.pk))[:SHOWN]
    return [(firing, said(size(firing), is_events=firing.fingerprint is not None)) for firing in largest]


def said(size: float, *, is_events: bool) -> str:
    """A size in words: events of an issue, or a bare figure."""
    if not is_events:
        return f"{size:,.4g}"
    return "1 event" if size == 1 else f"{size:,.0f} events"
