"""What previews of rules are made of: a draft, the line of time it is tried on, and what it would have fired."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from alerts.rules.base import Alert
from alerts.rules.sliding import Counts, Truths, told

MAX_PROJECTS = 20  # of a rule of all projects: those with the most to count


class Hit(NamedTuple):
    """An alert that would have been. alert: writes it, of the project's name; most are only counted."""

    at_ms: int
    project_id: str
    alert: Callable[[str], Alert | None]


@dataclass(frozen=True)
class Outlook:
    """What was found, and how far that can be trusted."""

    hits: list[Hit]
    is_capped: bool = False
    note: str = ""


@dataclass(frozen=True)
class Line:
    """Time in equal steps, up to now: `before_ms` for the first window to look back on, then the days looked at."""

    step_ms: int
    since_ms: int
    now_ms: int
    before_ms: int

    @property
    def first_ms(self) -> int:
        """The start of the first step."""
        return (self.since_ms - self.before_ms) // self.step_ms * self.step_ms

    @property
    def steps(self) -> int:
        return (self.now_ms - self.first_ms) // self.step_ms + 1

    @property
    def from_step(self) -> int:
        """The first that is looked at."""
        return (self.since_ms - self.first_ms) // self.step_ms

    def start_of(self, step: int) -> int:
        return self.first_ms + step * self.step_ms

    def end_of(self, step: int) -> int:
        """When a step is known; of the running one that is now."""
        return min(self.start_of(step + 1), self.now_ms)

    def dense(self, counts: Mapping[int, int]) -> Counts:
        """Counts by the start of their step as a line; what lies outside is left out."""
        line = np.zeros(self.steps, dtype=np.int64)
        for start_ms, count in counts.items():
            step = (start_ms - self.first_ms) // self.step_ms
            if 0 <= step < self.steps:
                line[step] += count
        return line


class Judged(NamedTuple):
    """Where a rule is true on a line. alert: at a step, of a project's name, at a time."""

    is_true: Truths
    alert: Callable[[int, str, int], Alert | None]


def hits_of(judged: Judged, line: Line, project_id: str, *, cooldown_ms: int) -> Iterator[Hit]:
    """The alerts of a project, with the cooldown kept."""
    for step in told(judged.is_true, from_step=line.from_step, cooldown_steps=cooldown_ms / line.step_ms):
        at_ms = line.end_of(step)
        yield Hit(at_ms, project_id, partial(alert_at, judged, step, at_ms))


def alert_at(judged: Judged, step: int, at_ms: int, name: str) -> Alert | None:
    """The alert of a step, of a project's name."""
    return judged.alert(step, name, at_ms)


def among_busiest(note: str, *, is_capped: bool) -> str:
    """The note, with what is said when not every project was looked at."""
    return f"{note} Of the {MAX_PROJECTS} busiest projects." if is_capped else note
