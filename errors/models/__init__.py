"""The tables of the errors app."""

from errors.models.alerting import Occasion, PackedHours, ProjectMinute
from errors.models.counts import Aggregate, HourlyCount, MinuteCount, ProjectHourlyCount
from errors.models.issues import Event, Issue, Status, Transition
from errors.models.releases import Release, ReleaseHourlyCount
from errors.models.search import SearchWords
from errors.models.sourcemaps import SourceMap
from errors.models.work import MAX_NOTE, BulkChange, Merge, Note

__all__ = [
    "MAX_NOTE",
    "Aggregate",
    "BulkChange",
    "Event",
    "HourlyCount",
    "Issue",
    "Merge",
    "MinuteCount",
    "Note",
    "Occasion",
    "PackedHours",
    "ProjectHourlyCount",
    "ProjectMinute",
    "Release",
    "ReleaseHourlyCount",
    "SearchWords",
    "SourceMap",
    "Status",
    "Transition",
]
