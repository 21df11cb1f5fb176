"""Previews of rules about errors: from issues, transitions and counts of the last seven days."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from alerts.configs import NewIssue, Spike, Threshold
from alerts.queries.draft import Draft
from alerts.queries.foretelling import MAX_PROJECTS, Hit, Judged, Line, Outlook, among_busiest, hits_of
from alerts.rules import new_issue, spike, threshold
from alerts.rules.base import Alert
from alerts.rules.new_issue import NEW, NEW_IN_ENVIRONMENT, REGRESSION, Happening
from alerts.rules.sliding import Counts, spikes, steps_of, window_sums
from analytics import seasonal
from bloop_site.lib.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, hour_of, hour_of_day
from errors.queries import alerting, alerting_past
from errors.queries.alerting_past import Sighting

MAX_SIGHTINGS = 2_000
MAX_ISSUES = 200  # whose seasons are looked at
HOURS = 7 * 24
BY_THE_MINUTE = "Reckoned by the minute."
SPREAD = "More events than are looked at here: those of an hour are taken to be spread evenly over it."
SEASONS = f"Of the {MAX_ISSUES} most frequent issues."
Judge = Callable[[Counts], Judged]


# --- New issues -----------------------------------------------------------------------------------------------------


def of_sightings(draft: Draft, config: NewIssue, project_ids: Sequence[str], *, since_ms: int) -> Outlook:
    """Issues seen for the first time, and those that came back."""
    seen = alerting_past.sightings(
        project_ids,
        since_ms=since_ms,
        environment=config.environment,
        narrowed=draft.narrowed,
        limit=MAX_SIGHTINGS + 1,
    )
    hits: list[Hit] = []
    last: dict[tuple[str, str], int] = {}
    for sighting in sorted(seen[:MAX_SIGHTINGS], key=lambda each: each.at_ms):
        topic = (sighting.project_id, sighting.fingerprint)
        if topic not in last or last[topic] <= sighting.at_ms - draft.cooldown_ms:
            last[topic] = sighting.at_ms
            hits.append(Hit(sighting.at_ms, sighting.project_id, partial(alert_of, happening_of(sighting, config))))
    return Outlook(hits, is_capped=len(seen) > MAX_SIGHTINGS)


def alert_of(happening: Happening, _name: str) -> Alert:
    """The alert, which does not say the project's name."""
    return new_issue.alert_of(happening)


def happening_of(sighting: Sighting, config: NewIssue) -> Happening:
    """The sighting as rules look at it."""
    first = NEW if config.environment is None else NEW_IN_ENVIRONMENT
    return Happening(
        kind=first if sighting.transition_id is None else REGRESSION,
        issue_id=sighting.issue_id,
        transition_id=sighting.transition_id,
        fingerprint=sighting.fingerprint,
        error_type=sighting.error_type,
        message=sighting.message,
        environment=sighting.environment,
        source=sighting.source,
        release=sighting.release,
    )


# --- Counts by the minute -------------------------------------------------------------------------------------------


def exceeding(config: Threshold) -> Judge:
    """Judges minutes by a threshold; the window is of whole minutes."""

    def judge(counts: Counts) -> Judged:
        sums = window_sums(counts, steps_of(config.window_secs, 60))
        return Judged(
            sums > config.threshold,
            lambda step, name, at_ms: threshold.judge(config, int(sums[step]), project_name=name, now_ms=at_ms),
        )

    return judge


def spiking(config: Spike) -> Judge:
    """Judges minutes by the rates of two windows of whole minutes."""
    compared, baseline = steps_of(config.compare_window_secs, 60), steps_of(config.baseline_window_secs, 60)
    whole = replace(config, compare_window_secs=60 * compared, baseline_window_secs=60 * baseline)

    def judge(counts: Counts) -> Judged:
        is_true, new, old = spikes(
            counts, compared=compared, baseline=baseline, multiplier=config.multiplier, least=spike.MIN_EVENTS
        )
        return Judged(
            is_true,
            lambda step, name, at_ms: spike.judge(
                whole, compared=int(new[step]), baseline=int(old[step]), project_name=name, now_ms=at_ms
            ),
        )

    return judge


def minutes(since_ms: int, now_ms: int, window_secs: int) -> Line:
    """The line of a rule that looks back so far."""
    return Line(MINUTE_MS, since_ms, now_ms, before_ms=window_secs * SECOND_MS + MINUTE_MS)


def of_projects(draft: Draft, project_ids: Sequence[str], line: Line, judge: Judge) -> Outlook:
    """Rules that count all events of a project."""
    busy = alerting_past.busiest_projects(project_ids, since_ms=line.since_ms, limit=MAX_PROJECTS + 1)
    is_capped = len(busy) > MAX_PROJECTS
    counted = alerting_past.minutes_of_projects(busy[:MAX_PROJECTS], since_ms=line.first_ms, narrowed=draft.narrowed)
    hits = [
        hit
        for project_id, counts in counted.items()
        for hit in hits_of(judge(line.dense(counts)), line, project_id, cooldown_ms=draft.cooldown_ms)
    ]
    return Outlook(hits, is_capped, among_busiest(BY_THE_MINUTE, is_capped=is_capped))


def of_issues(draft: Draft, config: Threshold, project_ids: Sequence[str], line: Line) -> Outlook:
    """Rules that count a fingerprint, a route or both."""
    found = alerting.issues_of(project_ids, fingerprint=config.fingerprint, route=config.route, since_ms=line.since_ms)
    hits: list[Hit] = []
    is_exact = True
    judge = exceeding(config)
    for project_id, issue_ids in list(found.items())[:MAX_PROJECTS]:
        counts, as_came = alerting_past.minutes_of_issues(issue_ids, since_ms=line.first_ms, narrowed=draft.narrowed)
        is_exact &= as_came
        hits += hits_of(judge(line.dense(counts)), line, project_id, cooldown_ms=draft.cooldown_ms)
    is_capped = len(found) > MAX_PROJECTS
    return Outlook(hits, is_capped, among_busiest(BY_THE_MINUTE if is_exact else SPREAD, is_capped=is_capped))


# --- Seasons --------------------------------------------------------------------------------------------------------


def of_seasons(draft: Draft, project_ids: Sequence[str], *, now_ms: int) -> Outlook:
    """Whole hours that stood out; of each issue as often as the cooldown lets it."""
    last_ms = hour_of(now_ms) - HOUR_MS
    first_ms = last_ms - (seasonal.HISTORY_HOURS + HOURS - 1) * HOUR_MS
    issues = alerting_past.frequent_issues(
        project_ids,
        since_ms=now_ms - HOURS * HOUR_MS - DAY_MS,
        first_ms=first_ms,
        hours=seasonal.HISTORY_HOURS + HOURS,
        narrowed=draft.narrowed,
        limit=MAX_ISSUES + 1,
    )
    is_capped, issues = len(issues) > MAX_ISSUES, issues[:MAX_ISSUES]
    if not issues:
        return Outlook([])
    counts = np.array([issue.counts for issue in issues])
    line = Line(HOUR_MS, last_ms - (HOURS - 1) * HOUR_MS, last_ms, before_ms=0)
    began = alerting.first_hours({issue.project_id for issue in issues})
    result = seasonal.scores(
        counts,
        first=seasonal.HISTORY_HOURS,
        hour=hour_of_day(line.first_ms),
        begins=[(began.get(issue.project_id, now_ms) - first_ms) // HOUR_MS for issue in issues],
        least=seasonal.THRESHOLD,
    )
    hits: list[Hit] = []
    for row, issue in enumerate(issues):
        own = counts[row, seasonal.HISTORY_HOURS :]

        def alert(step: int, name: str, _: int, row: int = row, issue: alerting.BusyIssue = issue) -> Alert | None:
            hour = spike.ScoredHour(
                issue_id=issue.issue_id,
                fingerprint=issue.fingerprint,
                error_type=issue.error_type,
                message=issue.message,
                hour_ms=line.start_of(step),
                count=issue.counts[seasonal.HISTORY_HOURS + step],
                expected=float(result.expected[row, step]),
                score=float(result.score[row, step]),
            )
            return spike.judge_hour(hour, threshold=seasonal.THRESHOLD, project_name=name)

        is_true = (result.score[row] >= seasonal.THRESHOLD) & (own >= spike.MIN_EVENTS)
        found = hits_of(Judged(is_true, alert), line, issue.project_id, cooldown_ms=draft.cooldown_ms)
        hits += (hit._replace(at_ms=hour_of(hit.at_ms + HOUR_MS - 1)) for hit in found)
    return Outlook(hits, is_capped, SEASONS if is_capped else "")
