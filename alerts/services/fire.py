"""Makes firings of alerts: each once for its cause, none while it cools down, held back when there are too many."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count
from django.urls import reverse

from alerts.models import AlertRule, Firing
from alerts.rules.base import Alert, Rule
from alerts.services.cooldown import Topic, claim, note_firings
from alerts.services.outbox import queue_deliveries
from bloop_site.lib.clock import MINUTE_MS
from bloop_site.lib.db import insert_rows, survives_deadlock
from bloop_site.lib.turn import write_turn
from errors.links import issue_url

COLUMNS = (
    "rule_id, project_id, cause, key, title, message, fingerprint, measured, details, is_held, is_digest, fired_ms"
)


class Named(NamedTuple):
    """A project as alerts name it."""

    name: str
    slug: str


Projects = dict[str, Named]


class Candidate(NamedTuple):
    """An alert that a rule wants to give in a project."""

    rule: Rule
    project_id: str
    alert: Alert

    @property
    def topic(self) -> Topic:
        return Topic(self.rule.id, self.project_id, self.alert.key)

    @property
    def once(self) -> tuple[int, str, str]:
        """What no two firings share."""
        return self.rule.id, self.project_id, self.alert.cause


@survives_deadlock
def fire(candidates: Sequence[Candidate], projects: Projects, *, now_ms: int) -> list[int]:
    """`fire_within` in a transaction of its own."""
    if not candidates:
        return []
    with write_turn, transaction.atomic():
        return fire_within(candidates, projects, now_ms=now_ms)


def fire_within(candidates: Sequence[Candidate], projects: Projects, *, now_ms: int) -> list[int]:
    """Turn candidates into firings and deliveries, in the caller's transaction. Returns the ids of the deliveries.

    Left out are those of rules that were removed or switched off meanwhile, those that cool down, and causes that the
    rule fired for before. What comes beyond `alerting.digest_after` in a minute is held for the rule's next digest.
    """
    rules = locked_rules({each.rule.id for each in candidates})
    wanted = [each for each in candidates if each.rule.id in rules and each.project_id in projects]
    claimed = claim(
        [each.topic for each in wanted], {each.rule.id: each.rule.cooldown_secs for each in wanted}, now_ms=now_ms
    )
    chosen = first_of_each([each for each in wanted if each.topic in claimed])
    held = too_many(chosen, now_ms=now_ms)
    ids = insert_firings(chosen, held, projects, now_ms=now_ms)
    note_firings([(ids[each.once], claimed[each.topic]) for each in chosen if each.once in ids])
    told = [ids[each.once] for each in chosen if each.once in ids and each.once not in held]
    return queue_all(told, now_ms=now_ms)


def queue_all(firing_ids: Sequence[int], *, now_ms: int) -> list[int]:
    """A delivery for each channel of each firing. Returns their ids."""
    firings = Firing.objects.filter(pk__in=firing_ids).select_related("rule").order_by("pk")
    return [pk for firing in firings for pk in queue_deliveries(firing, now_ms=now_ms)]


def locked_rules(rule_ids: Collection[int]) -> set[int]:
    """Those still enabled, locked in the order of their ids: what a rule said in a minute is counted by one at once."""
    rules = AlertRule.objects.select_for_update(no_key=True).filter(pk__in=rule_ids, is_enabled=True).order_by("pk")
    return set(rules.values_list("pk", flat=True))


def first_of_each(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Of candidates of the same cause the first; also of the same topic, unless the rule has no cooldown."""
    seen: set[object] = set()
    found = []
    for each in candidates:
        marks = {each.once, each.topic} if each.rule.cooldown_secs else {each.once}
        if not marks & seen:
            seen |= marks
            found.append(each)
    return found


def too_many(candidates: Sequence[Candidate], *, now_ms: int) -> set[tuple[int, str, str]]:
    """Which of these are held: the rule has told its share of the last minute, or holds some already."""
    rule_ids = {each.rule.id for each in candidates}
    recent = Firing.objects.filter(
        rule_id__in=rule_ids,
        fired_ms__gt=now_ms - MINUTE_MS,
        fired_ms__lte=now_ms + MINUTE_MS,  # not what a clock that ran ahead left
        is_held=False,
        is_digest=False,
    )
    told = Counter(dict(recent.values_list("rule_id").annotate(count=Count("pk")).order_by()))
    waiting = Firing.objects.filter(rule_id__in=rule_ids, is_held=True, digest__isnull=True)
    holding = set(waiting.values_list("rule_id", flat=True).distinct())
    held = set()
    for each in candidates:
        if each.rule.id in holding or told[each.rule.id] >= settings.BLOOP.alerting.digest_after:
            held.add(each.once)
        else:
            told[each.rule.id] += 1
    return held


def insert_firings(
    candidates: Sequence[Candidate], held: Collection[tuple[int, str, str]], projects: Projects, *, now_ms: int
) -> dict[tuple[int, str, str], int]:
    """Write them, but those whose cause the rule fired for before. Returns ids by rule, project and cause."""
    rows = []
    for each in candidates:
        alert = each.alert
        details = json.dumps(details_of(alert, projects[each.project_id]))
        told = (alert.key, alert.title, alert.message, alert.fingerprint, alert.measured, details)
        rows.append((*each.once, *told, each.once in held, False, now_ms))
    with connection.cursor() as cursor:
        written = insert_rows(
            cursor,
            f"INSERT INTO alerts_firing ({COLUMNS})",
            rows,
            then="ON CONFLICT (rule_id, project_id, cause) DO NOTHING RETURNING rule_id, project_id, cause, id",
            returning=True,
        )
    return {(rule_id, project_id, cause): pk for rule_id, project_id, cause, pk in written}


def details_of(alert: Alert, project: Named) -> dict[str, object]:
    """What messages and pages show besides the columns; only what there is."""
    found = {
        "environment": alert.environment,
        "release": alert.release,
        "url": url_of(alert, project),
        "threshold": alert.threshold,
        "lines": [list(line) for line in alert.lines] or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def url_of(alert: Alert, project: Named) -> str:
    """The path of the page that tells more."""
    if alert.page == "issue" and alert.fingerprint:
        return issue_url(project.slug, alert.fingerprint)
    return f"{reverse('llm:overview' if alert.page == 'llm' else 'errors:list')}?{urlencode({'project': project.slug})}"
