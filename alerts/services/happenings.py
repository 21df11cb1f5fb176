"""Judges what happened to issues by the rules of kind `new_issue`: each once, whichever worker takes it."""

import time
from collections.abc import Sequence

from django.db import transaction

from alerts.configs import NewIssue
from alerts.rules.base import Rule
from alerts.rules.new_issue import Happening, alert_of, wants
from alerts.services.fire import Candidate, Projects, fire_within
from bloop_site.lib.db import survives_deadlock
from bloop_site.lib.turn import write_turn
from errors.services.occasions import TakenOccasion, any_occasion, take_occasions

AT_ONCE = 200  # in a transaction


def judge_happenings(rules: Sequence[Rule], projects: Projects, *, now_ms: int, ends: float) -> tuple[list[int], bool]:
    """Judge all that waits, or until the monotonic clock says `ends`; at least one batch.

    Returns the ids of the deliveries, and whether nothing is left.
    """
    deliveries: list[int] = []
    while any_occasion():
        made, taken = judge_some(rules, projects, now_ms=now_ms)
        deliveries += made
        if not taken:
            break  # another worker is at the rest
        if time.monotonic() >= ends:
            return deliveries, not any_occasion()
    return deliveries, True


@survives_deadlock
def judge_some(rules: Sequence[Rule], projects: Projects, *, now_ms: int) -> tuple[list[int], int]:
    """Take some and fire what they ask for, in one transaction. Returns the deliveries' ids and how many were taken."""
    with write_turn, transaction.atomic():
        taken = take_occasions(AT_ONCE)
        candidates = [each for occasion in taken if not occasion.is_quiet for each in asked_by(occasion, rules)]
        return (fire_within(candidates, projects, now_ms=now_ms) if candidates else []), len(taken)


def asked_by(occasion: TakenOccasion, rules: Sequence[Rule]) -> list[Candidate]:
    """What the rules want told of an occasion."""
    happening = happening_of(occasion)
    return [
        Candidate(rule, occasion.project_id, alert_of(happening))
        for rule in rules
        if isinstance(rule.config, NewIssue)
        and rule.covers(occasion.project_id)
        and wants(rule, rule.config, happening)
    ]


def happening_of(occasion: TakenOccasion) -> Happening:
    """What rules look at of it."""
    return Happening(
        kind=occasion.kind,
        issue_id=occasion.issue_id,
        transition_id=occasion.transition_id,
        fingerprint=occasion.fingerprint,
        error_type=occasion.error_type,
        message=occasion.message,
        environment=occasion.environment,
        source=occasion.source,
        release=occasion.release,
    )
