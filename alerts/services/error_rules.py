"""Judges rules that count events: `threshold` and `spike`. Rules with the same windows share their queries.

A window's whole minutes are summed; the events of the minute it begins within are only looked at when they decide.
"""

from collections.abc import Collection, Iterator, Sequence

from alerts.configs import Spike, Threshold
from alerts.rules import spike, threshold
from alerts.rules.base import WHOLE_PROJECT, Alert, Rule
from alerts.services.fire import Candidate
from alerts.services.judging import Due, Judging, candidate, projects_of
from bloop_site.lib.clock import MINUTE_MS, SECOND_MS
from errors.queries import alerting
from errors.queries.alerting import Narrowed, Places

# Of longer windows, the counts by the hour tell first which projects may have enough events.
LONG_SECS = 6 * 3600


def narrowed_by(rule: Rule) -> Narrowed:
    """What the rule's filters leave of a project's events."""
    return Narrowed(rule.environment, rule.source)


# --- Threshold ------------------------------------------------------------------------------------------------------


def judge_thresholds(
    judging: Judging, window_secs: int, rules: Sequence[tuple[Rule, Threshold]], among: Collection[str] | None
) -> Iterator[Candidate]:
    """Rules that count all events of a project in the same window. among: the projects to look at; None: all."""
    since_ms = judging.since(window_secs)
    project_ids = projects_of([rule for rule, _ in rules], among)
    if window_secs >= LONG_SECS:
        most = alerting.hours_since(project_ids, since_ms=since_ms)
        rules = [each for each in rules if any(may_exceed(judging, *each, most))]
        project_ids = {project_id for each in rules for project_id in may_exceed(judging, *each, most)}
    if not rules:
        return
    found = alerting.minutes_since(project_ids, since_ms=since_ms)
    for rule, config in rules:
        for project_id, name, places in judging.due(rule, found, key=WHOLE_PROJECT):
            count = count_since(project_id, places, narrowed_by(rule), since_ms=since_ms, more_than=config.threshold)
            alert = threshold.judge(config, count, project_name=name, now_ms=judging.now_ms)
            yield from candidate(rule, project_id, alert)


def may_exceed(judging: Judging, rule: Rule, config: Threshold, most: dict[str, Places]) -> Iterator[str]:
    """The projects with more events than the threshold if all of the hours counted."""
    for project_id, _, places in judging.due(rule, most, key=WHOLE_PROJECT):
        if narrowed_by(rule).of(places).most > config.threshold:
            yield project_id


def count_since(project_id: str, places: Places, narrowed: Narrowed, *, since_ms: int, more_than: int) -> int:
    """Events of the window, without those of issues that are ignored or muted now.

    The minute it begins within, and what was counted before somebody said so, are looked at only if they decide.
    """
    sums = narrowed.of(places)
    if sums.most <= more_than:
        return sums.whole
    count = sums.whole
    if sums.edge:
        count += alerting.edge_of_minute(project_id, since_ms=since_ms, narrowed=narrowed, minute_count=sums.edge)
    if count > more_than:
        first_ms = -(-since_ms // MINUTE_MS) * MINUTE_MS  # in the minute before, they are left out
        count -= alerting.quieted_since(project_id, since_ms=first_ms, narrowed=narrowed)
    return max(0, count)


def judge_named(judging: Judging, rule: Rule, config: Threshold, among: Collection[str] | None) -> Iterator[Candidate]:
    """A rule that counts the events of a fingerprint, a route or both."""
    since_ms = judging.since(config.window_secs)
    found = alerting.issues_of(
        projects_of([rule], among), fingerprint=config.fingerprint, route=config.route, since_ms=since_ms
    )
    for project_id, name, issue_ids in judging.due(rule, found, key=config.fingerprint or WHOLE_PROJECT):
        count = alerting.events_of(issue_ids, since_ms=since_ms, narrowed=narrowed_by(rule), more_than=config.threshold)
        alert = threshold.judge(config, count, project_name=name, now_ms=judging.now_ms)
        yield from candidate(rule, project_id, alert)


# --- Spike by rate --------------------------------------------------------------------------------------------------


def judge_spikes(
    judging: Judging, windows: tuple[int, int], rules: Sequence[tuple[Rule, Spike]], among: Collection[str] | None
) -> Iterator[Candidate]:
    """Rules with the same windows, in seconds: the compared one and, before it, the baseline."""
    since_ms = judging.since(windows[0])
    before_ms = since_ms - windows[1] * SECOND_MS
    compared = alerting.minutes_since(projects_of([rule for rule, _ in rules], among), since_ms=since_ms)
    busy = {
        project_id
        for rule, _ in rules
        for project_id, _, places in judging.due(rule, compared, key=WHOLE_PROJECT)
        if narrowed_by(rule).of(places).most >= spike.MIN_EVENTS
    }
    if not busy:
        return
    both = alerting.minutes_since(busy, since_ms=before_ms)
    for rule, config in rules:
        for due in judging.due(rule, compared, key=WHOLE_PROJECT):
            if due.project_id in busy:
                alert = spike_of(judging, rule, config, due, both.get(due.project_id, {}))
                yield from candidate(rule, due.project_id, alert)


def spike_of(judging: Judging, rule: Rule, config: Spike, due: Due[Places], since_baseline: Places) -> Alert | None:
    """The alert of a project, exact at both edges; they are looked at only if the rule may fire.

    due: with the events since the compared window began. since_baseline: those since the baseline did.
    """
    narrowed = narrowed_by(rule)
    compared, both = narrowed.of(due.found), narrowed.of(since_baseline)
    since_ms = judging.since(config.compare_window_secs)
    before_ms = since_ms - config.baseline_window_secs * SECOND_MS
    # At best, all of the minute that the compared window begins within counts for it, and none of it for the baseline.
    least_before = both.whole - compared.most
    if compared.most < spike.MIN_EVENTS or (
        least_before > 0 and not spike.is_spike(config, compared=compared.most, baseline=least_before)
    ):
        return None
    new = count_since(due.project_id, due.found, narrowed, since_ms=since_ms, more_than=-1)
    both_exact = count_since(due.project_id, since_baseline, narrowed, since_ms=before_ms, more_than=-1)
    return spike.judge(config, compared=new, baseline=both_exact - new, project_name=due.name, now_ms=judging.now_ms)
