"""When a rule may speak again of the same thing (contract 6.5): claimed by a conditional write, so one of many wins.

A cooldown that began later than its own length from now was begun by a clock that ran ahead, and holds nobody back.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from django.db import connection

from alerts.models import Cooldown
from alerts.rules.base import Rule
from bloop_site.lib.clock import SECOND_MS
from bloop_site.lib.db import insert_rows

CLAIM = """
    ON CONFLICT (rule_id, project_id, "key") DO UPDATE SET fired_ms = excluded.fired_ms, firing_id = NULL
    WHERE alerts_cooldown.fired_ms <= excluded.fired_ms - {cooldown_ms}
        OR alerts_cooldown.fired_ms > excluded.fired_ms + {cooldown_ms}
    RETURNING rule_id, project_id, "key", id
"""


class Topic(NamedTuple):
    """What is not told again for a while: a rule, in a project, about a fingerprint or a metric."""

    rule_id: int
    project_id: str
    key: str


def cooling(rules: Collection[Rule], *, now_ms: int) -> set[Topic]:
    """What these rules may not speak of now: last told later than `now_ms` less the rule's cooldown. One query."""
    cooldowns = {rule.id: rule.cooldown_secs * SECOND_MS for rule in rules}
    since_ms = now_ms - max(cooldowns.values(), default=0)
    rows = Cooldown.objects.filter(fired_ms__gt=since_ms).values_list("rule_id", "project_id", "key", "fired_ms")
    return {
        Topic(rule_id, project_id, key)
        for rule_id, project_id, key, fired_ms in rows
        if rule_id in cooldowns and -cooldowns[rule_id] < fired_ms - now_ms <= cooldowns[rule_id]
    }


def claim(topics: Collection[Topic], cooldown_secs: dict[int, int], *, now_ms: int) -> dict[Topic, int]:
    """Begin the cooldown of those that are not cooling, in the caller's transaction.

    cooldown_secs: by rule id. Returns the ids of the rows that are ours now; whoever else wants one waits for our
    commit and finds it cooling. Rows are written in one order by everybody.
    """
    of_length: defaultdict[int, list[Topic]] = defaultdict(list)
    for topic in sorted(set(topics)):
        of_length[cooldown_secs[topic.rule_id]].append(topic)
    claimed: dict[Topic, int] = {}
    with connection.cursor() as cursor:
        for seconds, wanted in sorted(of_length.items()):
            rows = insert_rows(
                cursor,
                'INSERT INTO alerts_cooldown (rule_id, project_id, "key", fired_ms)',
                [(*topic, now_ms) for topic in wanted],
                then=CLAIM.format(cooldown_ms=seconds * SECOND_MS),
                returning=True,
            )
            claimed |= {Topic(rule_id, project_id, key): pk for rule_id, project_id, key, pk in rows}
    return claimed


def note_firings(firings: Sequence[tuple[int, int]]) -> None:
    """Say which firing began which cooldown: (firing id, cooldown id). Should nothing of it arrive, it ends early."""
    with connection.cursor() as cursor:
        cursor.executemany("UPDATE alerts_cooldown SET firing_id = %s WHERE id = %s", firings)
