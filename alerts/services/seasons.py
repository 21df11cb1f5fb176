"""Judges whole hours of issues by what these usually hold: each hour once, in the first round that finds it complete.

How far a rule is judged stands in a row of Cooldown, written with what the hour fired. So a round that comes late, for
nobody worked meanwhile, makes up for it: the last hour always, and of those before it up to `CAUGHT_UP` in all. What
ended before the rule was last changed or switched on is not made up for, but for the last hour.
"""

from collections.abc import Iterator, Mapping, Sequence

from django.db import connection, transaction
from django.db.models import Max

from alerts.configs import Spike
from alerts.models import Cooldown
from alerts.rules import spike
from alerts.rules.base import Rule
from alerts.services.fire import Candidate, Projects, fire_within, locked_rules
from alerts.services.judging import Judging, candidate, projects_of
from bloop_site.lib.clock import HOUR_MS, MINUTE_MS, hour_of, hour_of_day
from bloop_site.lib.db import insert_rows, survives_deadlock
from bloop_site.lib.turn import write_turn
from errors.queries import alerting
from errors.queries.alerting import BusyIssue, Narrowed
from ingest.buffer import oldest_received_ms

SETTLED_MS = MINUTE_MS  # after an hour's end: then what came in it is accepted, if not folded
CAUGHT_UP = 6  # hours; a spike that is older is no news
BUSIEST = 50  # issues of a project whose hour is scored
MARK = "hours judged".ljust(300, ".")  # the key of the row: longer than any fingerprint, which other rows have there
SeasonRule = tuple[Rule, Spike]


def last_hour(*, now_ms: int) -> int:
    """The start of the last hour that is over, and of which all that came is folded. Epoch ms."""
    settled_ms = now_ms - SETTLED_MS
    waiting_ms = oldest_received_ms()
    return hour_of(settled_ms if waiting_ms is None else min(settled_ms, waiting_ms)) - HOUR_MS


def hours_due(rules: Sequence[SeasonRule], *, now_ms: int) -> dict[int, list[Rule]]:
    """The hours that some of these rules are still to judge, the oldest first, with those. Two queries."""
    last_ms = last_hour(now_ms=now_ms)
    marks = judged_until([rule.id for rule, _ in rules], now_ms=now_ms)
    found: dict[int, list[Rule]] = {}
    for rule, _ in rules:
        from_ms = last_ms
        if rule.id in marks:
            since_ms = max(marks[rule.id], last_ms - (CAUGHT_UP - 1) * HOUR_MS)
            from_ms = max(since_ms, min(last_ms, hour_of(rule.changed_ms)))
        for hour_ms in range(from_ms, last_ms + 1, HOUR_MS):
            found.setdefault(hour_ms, []).append(rule)
    return dict(sorted(found.items()))


def judged_until(rule_ids: Sequence[int], *, now_ms: int) -> Mapping[int, int]:
    """The end of the last hour that each rule has judged; not what a clock that ran ahead left."""
    rows = Cooldown.objects.filter(rule__in=rule_ids, key=MARK, fired_ms__lte=now_ms).order_by()
    return dict(rows.values_list("rule_id").annotate(Max("fired_ms")))


def judge_hours(judging: Judging, narrowed: Narrowed, rules: Sequence[SeasonRule]) -> tuple[list[int], bool]:
    """Judge what is due of rules with the same filters, and fire what stands out. Returns the deliveries' ids."""
    deliveries: list[int] = []
    for hour_ms, due in hours_due(rules, now_ms=judging.now_ms).items():
        found = list(judge_hour(judging, narrowed, due, hour_ms=hour_ms))
        deliveries += tell_hour(hour_ms, due, found, judging.projects, now_ms=judging.now_ms)
    return deliveries, True


@survives_deadlock
def tell_hour(
    hour_ms: int, rules: Sequence[Rule], found: Sequence[Candidate], projects: Projects, *, now_ms: int
) -> list[int]:
    """Fire what an hour gives, and mark it as judged, in one transaction; of two workers one does."""
    with write_turn, transaction.atomic():
        enabled = locked_rules({rule.id for rule in rules})
        marks = judged_until(sorted(enabled), now_ms=now_ms)
        ours = [rule for rule in rules if rule.id in enabled and marks.get(rule.id, 0) <= hour_ms]
        ids = {rule.id for rule in ours}
        deliveries = fire_within([each for each in found if each.rule.id in ids], projects, now_ms=now_ms)
        mark(ours, projects, until_ms=hour_ms + HOUR_MS)
    return deliveries


def mark(rules: Sequence[Rule], projects: Projects, *, until_ms: int) -> None:
    """Note how far they are judged; that of a rule for all projects stands with the first of them."""
    first = min(projects, default=None)
    rows = [
        (rule.id, project_id, MARK, until_ms)
        for rule in rules
        if (project_id := rule.project_id or first) is not None and project_id in projects
    ]
    with connection.cursor() as cursor:
        insert_rows(
            cursor,
            'INSERT INTO alerts_cooldown (rule_id, project_id, "key", fired_ms)',
            sorted(rows),
            then='ON CONFLICT (rule_id, project_id, "key") DO UPDATE SET fired_ms = excluded.fired_ms',
        )


def judge_hour(judging: Judging, narrowed: Narrowed, rules: Sequence[Rule], *, hour_ms: int) -> Iterator[Candidate]:
    """What rules with the same filters say of an hour: the issues that stand out from what it usually holds.

    In a project's first hours nothing is usual yet: it has not been there to be quiet.
    """
    from analytics.seasonal import HISTORY_HOURS, THRESHOLD  # noqa: PLC0415  numpy is loaded where such a rule is

    busy = alerting.busiest(
        projects_of(rules),
        hour_ms=hour_ms,
        history=HISTORY_HOURS,
        narrowed=narrowed,
        least=spike.MIN_EVENTS,
        limit=BUSIEST,
    )
    for hour, project_id in scored(busy, hour_ms=hour_ms):
        for rule in rules:
            for _, name, found in judging.due(rule, {project_id: hour}, key=hour.fingerprint):
                alert = spike.judge_hour(found, threshold=THRESHOLD, project_name=name)
                yield from candidate(rule, project_id, alert)


def scored(issues: Sequence[BusyIssue], *, hour_ms: int) -> Iterator[tuple[spike.ScoredHour, str]]:
    """An hour of each issue with its score, and the project."""
    if not issues:
        return
    import numpy as np  # noqa: PLC0415  likewise

    from analytics.seasonal import THRESHOLD, scores  # noqa: PLC0415

    last = len(issues[0].counts) - 1
    began = alerting.first_hours({issue.project_id for issue in issues})
    result = scores(
        np.array([issue.counts for issue in issues]),
        first=last,
        hour=hour_of_day(hour_ms),
        begins=[last - (hour_ms - began.get(issue.project_id, hour_ms)) // HOUR_MS for issue in issues],
        least=THRESHOLD,
    )
    for row, issue in enumerate(issues):
        yield (
            spike.ScoredHour(
                issue_id=issue.issue_id,
                fingerprint=issue.fingerprint,
                error_type=issue.error_type,
                message=issue.message,
                hour_ms=hour_ms,
                count=issue.counts[-1],
                expected=float(result.expected[row, 0]),
                score=float(result.score[row, 0]),
            ),
            issue.project_id,
        )
