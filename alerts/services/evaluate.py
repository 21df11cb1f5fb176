"""Which rules fire, and when: one pass over the enabled rules, bounded in time whatever the volume (contract 6.3, 6.4).

Rules of the same kind with the same windows are one job, which asks the same few questions for all of them and all
their projects. Anything a job finds is fired in a short transaction of its own; who looks at the same moment, or a
moment later, finds it told (`alerts.services.fire`).
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from django.conf import settings

from alerts.configs import (
    ConfigInvalid,
    LlmBudget,
    LlmCostSpike,
    LlmErrorRate,
    LlmLatency,
    NewIssue,
    Spike,
    Threshold,
    parse_config,
)
from alerts.models import AlertRule
from alerts.rules.base import Rule
from alerts.services import digest, error_rules, llm_rules, seasons
from alerts.services.closing import close_resolved
from alerts.services.cooldown import cooling
from alerts.services.fire import Candidate, Named, Projects, fire
from alerts.services.happenings import judge_happenings
from alerts.services.judging import Judging
from bloop_site.lib.clock import MINUTE_MS, minute_of
from bloop_site.lib.log import logger
from errors.queries.alerting import Narrowed, active_projects
from projects.access import live_projects

log = logger("alerts.evaluate")
SECONDS = 4.0  # a worker that is told to stop waits for its tasks
Job = Callable[[], tuple[list[int], bool]]  # the ids of the deliveries, and True: it is done
Kind = TypeVar("Kind")
Group = TypeVar("Group")


@dataclass(frozen=True)
class Evaluated:
    """What one call did.

    deliveries: to be sent. next_job: the one that there was no time for, None when there was for all. failed: how many
    parts did; the log says why.
    """

    deliveries: tuple[int, ...] = ()
    next_job: int | None = None
    failed: int = 0


def evaluate(now_ms: int) -> list[int]:
    """Evaluate every enabled rule once, however long that takes. Returns the ids of the deliveries to send."""
    return list(evaluate_some(now_ms=now_ms, seconds=float("inf")).deliveries)


def evaluate_some(*, now_ms: int, only_busy: bool = False, from_job: int = 0, seconds: float = SECONDS) -> Evaluated:
    """Evaluate for about `seconds`: what happened to issues, what was held back, and rules job by job from `from_job`.

    only_busy: leave out LLM rules, seasons, and projects without an event in the last minutes. At least one job is
    done, so calls that go on where the last one ended come to an end.
    """
    ends = time.monotonic() + seconds
    rules = enabled_rules(tell=not only_busy)
    projects = {pk: Named(name, slug) for pk, name, slug in live_projects().values_list("pk", "name", "slug")}
    told = Told()
    is_done = told.take(lambda: judge_happenings(rules, projects, now_ms=now_ms, ends=ends))
    if not only_busy:
        told.take(lambda: (close_resolved(now_ms=now_ms), True))
    for rule_id in digest.due_rules(now_ms=now_ms):
        told.take(partial(tell_digest, rule_id, projects, now_ms=now_ms))
    jobs = jobs_of(rules, projects, now_ms=now_ms, only_busy=only_busy)[from_job:]
    done = 0
    while done < len(jobs) and (not done or time.monotonic() < ends):
        told.take(jobs[done])
        done += 1
    is_done &= done == len(jobs)
    return Evaluated(tuple(told.deliveries), None if is_done else from_job + done, told.failed)


@dataclass
class Told:
    """What the parts of an evaluation did. One that fails is logged and stops no other."""

    deliveries: list[int] = field(default_factory=list)
    failed: int = 0

    def take(self, part: Callable[[], tuple[list[int], bool]]) -> bool:
        """Add a part's deliveries. Returns whether it is done; one that failed is left for the next time."""
        try:
            made, is_done = part()
        except Exception:
            log.exception("evaluation_failed")
            self.failed += 1
            return True
        self.deliveries += made
        return is_done


def tell_digest(rule_id: int, projects: Projects, *, now_ms: int) -> tuple[list[int], bool]:
    """What a rule held back."""
    return digest.tell(rule_id, projects, now_ms=now_ms), True


def enabled_rules(*, tell: bool = True) -> list[Rule]:
    """Every enabled rule whose stored config can be read; the others are passed over (W32), and told of. One query."""
    rules = []
    for row in AlertRule.objects.filter(is_enabled=True).order_by("pk"):
        try:
            rules.append(rule_of(row))
        except ConfigInvalid as error:
            if tell:
                log.warning("rule_broken", rule_id=row.pk, reason=str(error))
    return rules


def rule_of(row: AlertRule) -> Rule:
    """A stored rule as it is judged. Raises ConfigInvalid."""
    config = parse_config(row.config)
    if config.type != row.rule_type:
        raise ConfigInvalid("config.type is not the rule's type")
    return Rule(
        id=row.pk,
        name=row.name,
        project_id=row.project_id,
        config=config,
        environment=row.environment_filter or None,
        source=row.source_filter or None,
        cooldown_secs=settings.BLOOP.alerting.cooldown_secs if row.cooldown_secs is None else row.cooldown_secs,
        changed_ms=row.updated_ms,
    )


# --- Jobs -----------------------------------------------------------------------------------------------------------


def jobs_of(rules: Sequence[Rule], projects: Projects, *, now_ms: int, only_busy: bool) -> list[Job]:
    """What is to be asked, always in the same order."""
    counting = [rule for rule in rules if not isinstance(rule.config, NewIssue)]
    if not counting:
        return []
    judging = Judging(now_ms, projects, cooling(counting, now_ms=now_ms))
    if only_busy:
        return error_jobs(judging, counting, active_projects(since_ms=minute_of(now_ms) - 2 * MINUTE_MS))
    return [*error_jobs(judging, counting, None), *season_jobs(judging, counting), *llm_jobs(judging, counting)]


def error_jobs(judging: Judging, rules: Sequence[Rule], among: set[str] | None) -> list[Job]:
    """Rules that count events. among: the projects to look at; None: all."""
    if among is not None and not among:
        return []
    thresholds = of_kind(rules, Threshold)
    whole = [(rule, config) for rule, config in thresholds if config.fingerprint is None and config.route is None]
    named = [each for each in thresholds if each not in whole]
    spikes = [(rule, config) for rule, config in of_kind(rules, Spike) if config.method == "rate"]
    return [
        *(
            job(error_rules.judge_thresholds, judging, secs, group, among)
            for secs, group in grouped(whole, lambda config: config.window_secs)
        ),
        *(
            job(error_rules.judge_spikes, judging, windows, group, among)
            for windows, group in grouped(
                spikes, lambda config: (config.compare_window_secs, config.baseline_window_secs)
            )
        ),
        *(job(error_rules.judge_named, judging, rule, config, among) for rule, config in named),
    ]


def season_jobs(judging: Judging, rules: Sequence[Rule]) -> list[Job]:
    """Rules that look at whole hours, if one is due."""
    by_filters: defaultdict[Narrowed, list[tuple[Rule, Spike]]] = defaultdict(list)
    for rule, config in of_kind(rules, Spike):
        if config.method == "seasonal":
            by_filters[error_rules.narrowed_by(rule)].append((rule, config))
    return [partial(seasons.judge_hours, judging, narrowed, group) for narrowed, group in by_filters.items()]


def llm_jobs(judging: Judging, rules: Sequence[Rule]) -> list[Job]:
    """Rules of LLM calls, unless these are switched off."""
    if not settings.BLOOP.llm_tracing.enabled:
        return []
    used: list[tuple[Rule, LlmCostSpike | LlmErrorRate]] = [
        *of_kind(rules, LlmCostSpike),
        *of_kind(rules, LlmErrorRate),
    ]
    timed, budgets = of_kind(rules, LlmLatency), of_kind(rules, LlmBudget)
    return [
        *(
            job(llm_rules.judge_usage, judging, secs, group)
            for secs, group in grouped(used, lambda config: config.window_secs)
        ),
        *(
            job(llm_rules.judge_latency, judging, secs, group)
            for secs, group in grouped(timed, lambda config: config.window_secs)
        ),
        *([job(llm_rules.judge_budgets, judging, budgets)] if budgets else []),
    ]


def job(judge: Callable[..., Iterator[Candidate]], judging: Judging, *arguments: Any) -> Job:
    """A call to be made when its turn comes; what it finds is fired."""
    return lambda: (fire(list(judge(judging, *arguments)), judging.projects, now_ms=judging.now_ms), True)


def of_kind(rules: Iterable[Rule], kind: type[Kind]) -> list[tuple[Rule, Kind]]:
    """The rules of one kind, with their configs."""
    return [(rule, rule.config) for rule in rules if isinstance(rule.config, kind)]


def grouped(
    rules: Iterable[tuple[Rule, Kind]], key: Callable[[Kind], Group]
) -> Iterator[tuple[Group, list[tuple[Rule, Kind]]]]:
    """Rules that share their windows, in the order of these."""
    groups: defaultdict[Group, list[tuple[Rule, Kind]]] = defaultdict(list)
    for rule, config in rules:
        groups[key(config)].append((rule, config))
    yield from sorted(groups.items(), key=lambda item: str(item[0]))
