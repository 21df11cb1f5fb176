"""Links between what does not know each other: errors and the traces they name. Apps register in AppConfig.ready()."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

MAX_LINKS = 20


@dataclass(frozen=True)
class Link:
    """Where to go, what stands there, and when that happened (epoch ms)."""

    label: str
    url: str
    detail: str = ""
    at_ms: int | None = None


class ErrorsOfTrace(Protocol):
    """Finds errors that name a trace of their project, the newest first."""

    def __call__(self, *, project_id: str, trace_id: str, limit: int) -> list[Link]: ...


class KnownTraces(Protocol):
    """The addresses of those of these traces that are there, by id."""

    def __call__(self, *, project_id: str, trace_ids: Sequence[str]) -> dict[str, str]: ...


_errors: list[ErrorsOfTrace] = []
_traces: list[KnownTraces] = []


def register_errors(finder: ErrorsOfTrace) -> None:
    """Ask `finder` for the errors of a trace from now on."""
    if finder not in _errors:
        _errors.append(finder)


def register_traces(finder: KnownTraces) -> None:
    """Ask `finder` for traces from now on."""
    if finder not in _traces:
        _traces.append(finder)


def errors_of_trace(*, project_id: str, trace_id: str) -> list[Link]:
    """At most 20 errors that name the trace, the newest first; none where nobody keeps errors."""
    found = [link for finder in _errors for link in finder(project_id=project_id, trace_id=trace_id, limit=MAX_LINKS)]
    return found[:MAX_LINKS]


def trace_urls(*, project_id: str, trace_ids: Sequence[str]) -> dict[str, str]:
    """The addresses of those traces that are there, by id; none where nobody keeps traces. No id, no question."""
    if not trace_ids:
        return {}
    return {
        trace_id: url
        for finder in _traces
        for trace_id, url in finder(project_id=project_id, trace_ids=trace_ids).items()
    }
