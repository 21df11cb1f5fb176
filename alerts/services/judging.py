"""What rules are judged with in one evaluation: its moment, the projects, and what must not be told again yet."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from alerts.rules.base import Alert, Rule
from alerts.services.cooldown import Topic
from alerts.services.fire import Candidate, Projects
from bloop_site.lib.clock import SECOND_MS

Measured = TypeVar("Measured")


class Due(NamedTuple, Generic[Measured]):
    """A project that a rule is to be judged in, and what was found of it."""

    project_id: str
    name: str
    found: Measured


@dataclass(frozen=True)
class Judging:
    """One evaluation. cooling: what may not be told now, so need not be measured."""

    now_ms: int
    projects: Projects
    cooling: Collection[Topic]

    def since(self, window_secs: int) -> int:
        """When a window that ends now began."""
        return self.now_ms - window_secs * SECOND_MS

    def is_cooling(self, rule: Rule, project_id: str, key: str) -> bool:
        return Topic(rule.id, project_id, key) in self.cooling

    def due(self, rule: Rule, found: Mapping[str, Measured], *, key: str) -> Iterator[Due[Measured]]:
        """The projects of the rule that something was found of, unless they cool down."""
        project_ids = found if rule.project_id is None else (rule.project_id,)
        for project_id in project_ids:
            if project_id in found and project_id in self.projects and not self.is_cooling(rule, project_id, key):
                yield Due(project_id, self.projects[project_id].name, found[project_id])


def projects_of(rules: Sequence[Rule], among: Collection[str] | None = None) -> Collection[str] | None:
    """The projects that these rules are about, of those given; None: of all."""
    if any(rule.project_id is None for rule in rules):
        return among
    own = {rule.project_id for rule in rules if rule.project_id is not None}
    return own if among is None else own & set(among)


def candidate(rule: Rule, project_id: str, alert: Alert | None) -> Iterator[Candidate]:
    """The alert as a candidate, if there is one."""
    if alert is not None:
        yield Candidate(rule, project_id, alert)
