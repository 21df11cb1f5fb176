"""What apps above know of projects, for the list of projects: they put a reader here, because imports point down."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figures:
    """Events of the last 24 hours, and when the last one came (epoch ms; None when none ever did)."""

    events_24h: int
    last_event_ms: int | None


Reader = Callable[[Sequence[str], int], Mapping[str, Figures]]

_readers: list[Reader] = []


def register(reader: Reader) -> None:
    """Ask `reader(project_ids, now_ms)` from now on; called in AppConfig.ready of the app that counts events."""
    if reader not in _readers:
        _readers.append(reader)


def figures_of(project_ids: Sequence[str], *, now_ms: int) -> dict[str, Figures]:
    """The figures of these projects, summed over all readers; a project nobody knows anything of is left out."""
    found: dict[str, Figures] = {}
    for reader in _readers:
        for project_id, figures in reader(project_ids, now_ms).items():
            before = found.get(project_id, Figures(0, None))
            times = [each for each in (before.last_event_ms, figures.last_event_ms) if each is not None]
            found[project_id] = Figures(before.events_24h + figures.events_24h, max(times, default=None))
    return found
