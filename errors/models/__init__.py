"""The tables of the errors app."""

from errors.models.counts import Aggregate, HourlyCount, MinuteCount, ProjectHourlyCount
from errors.models.issues import Event, Issue, Status, Transition

__all__ = [
    "Aggregate",
    "Event",
    "HourlyCount",
    "Issue",
    "MinuteCount",
    "ProjectHourlyCount",
    "Status",
    "Transition",
]
