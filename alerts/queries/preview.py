"""What a rule would have fired in the last seven days, before it is saved: reckoned from rollups, and bounded.

Cooldowns count as if the rule had been there all the time; digests do not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from alerts.configs import LlmBudget, LlmCostSpike, LlmErrorRate, LlmLatency, NewIssue, Spike, Threshold
from alerts.queries import preview_errors, preview_llm
from alerts.queries.draft import Draft
from alerts.queries.foretelling import Outlook
from bloop_site.lib.clock import DAY_MS
from projects.access import live_projects

__all__ = ["Draft", "Foretold", "Preview", "would_have_fired"]
DAYS = 7
SHOWN = 50


@dataclass(frozen=True)
class Foretold:
    """One alert that would have been."""

    at_ms: int
    project_id: str
    project_name: str
    message: str


@dataclass(frozen=True)
class Preview:
    """The newest alerts, at most 50. total: of all; is_capped: not everything was looked at; note: how exact it is."""

    firings: tuple[Foretold, ...]
    total: int
    is_capped: bool
    since_ms: int
    note: str


def would_have_fired(draft: Draft, *, now_ms: int) -> Preview:
    """What the draft would have fired since seven days ago, in a few queries whatever was received."""
    since_ms = now_ms - DAYS * DAY_MS
    projects = live_projects()
    if draft.project_id is not None:
        projects = projects.filter(pk=draft.project_id)
    names = dict(projects.values_list("pk", "name"))
    found = outlook(draft, list(names), since_ms=since_ms, now_ms=now_ms)
    newest = sorted(found.hits, key=lambda hit: (-hit.at_ms, hit.project_id))[:SHOWN]
    firings = tuple(
        Foretold(hit.at_ms, hit.project_id, names[hit.project_id], alert.message)
        for hit in newest
        if (alert := hit.alert(names[hit.project_id])) is not None
    )
    return Preview(firings, len(found.hits), found.is_capped, since_ms, found.note)


def outlook(draft: Draft, project_ids: Sequence[str], *, since_ms: int, now_ms: int) -> Outlook:
    """By the kind of rule."""
    match draft.config:
        case NewIssue() as config:
            return preview_errors.of_sightings(draft, config, project_ids, since_ms=since_ms)
        case Threshold() as config:
            line = preview_errors.minutes(since_ms, now_ms, config.window_secs)
            if config.fingerprint is None and config.route is None:
                return preview_errors.of_projects(draft, project_ids, line, preview_errors.exceeding(config))
            return preview_errors.of_issues(draft, config, project_ids, line)
        case Spike(method="seasonal"):
            return preview_errors.of_seasons(draft, project_ids, now_ms=now_ms)
        case Spike() as config:
            line = preview_errors.minutes(since_ms, now_ms, config.baseline_window_secs + config.compare_window_secs)
            return preview_errors.of_projects(draft, project_ids, line, preview_errors.spiking(config))
        case LlmCostSpike() | LlmErrorRate() | LlmLatency() | LlmBudget() as config:
            if not settings.BLOOP.llm_tracing.enabled:
                return Outlook([], note=preview_llm.SWITCHED_OFF)
            return preview_llm.of_llm(draft, config, project_ids, since_ms=since_ms, now_ms=now_ms)
