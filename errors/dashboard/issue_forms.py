"""What the pages of one issue take."""

from datetime import UTC, date, datetime, time
from typing import Any

from django import forms

from bloop_site.lib.clock import HOUR_MS, to_ms
from bloop_site.lib.links import number_in
from errors.models import MAX_NOTE, Issue, Status
from errors.queries.occurrences import EventFilter
from errors.statuses import Change

MAX_MUTE_HOURS = 24 * 366
MAX_MUTE_EVENTS = 1_000_000_000
NOTE_FIELD: dict[str, Any] = {
    "rows": 3,
    "maxlength": MAX_NOTE,
    "placeholder": "What is known, what was tried",
    "data-submit-keys": "",
}


class EventFilterForm(forms.Form):
    """The filters of an issue's events; what does not validate narrows nothing."""

    release = forms.CharField(max_length=256, required=False, strip=False)
    environment = forms.CharField(max_length=128, required=False, strip=False)

    def filters(self) -> EventFilter:
        """What the query gets. The form must have been validated."""
        return EventFilter(
            release=self.cleaned_data.get("release") or "", environment=self.cleaned_data.get("environment") or ""
        )


class StatusForm(forms.Form):
    """A change of an issue's status. What is given with it counts for one status alone.

    seen, was: what the page showed, see services.status; an issue's own page sends the first, a list the second.
    """

    status = forms.ChoiceField(choices=Status.choices)
    next_release = forms.BooleanField(required=False)
    hours = forms.IntegerField(min_value=1, max_value=MAX_MUTE_HOURS, required=False)
    until = forms.DateField(required=False, label="Date", widget=forms.DateInput(attrs={"type": "date"}))
    more = forms.IntegerField(min_value=1, max_value=MAX_MUTE_EVENTS, required=False, label="Number of events")
    seen = forms.CharField(max_length=100, required=False)
    was = forms.ChoiceField(choices=Status.choices, required=False)

    def __init__(self, data: Any, *, now_ms: int) -> None:
        super().__init__(data)
        self.now_ms = now_ms

    def clean_until(self) -> date | None:
        """A day that is still to come."""
        until: date | None = self.cleaned_data["until"]
        if until is not None and day_ms(until) <= self.now_ms:
            raise forms.ValidationError("Choose a day that is still to come.")
        return until

    def change(self, issue: Issue) -> Change:
        """What the service gets: a number of events counts from the issue's total. The form must be valid."""
        given, status = self.cleaned_data, self.cleaned_data["status"]
        if status == Status.MUTED:
            count = issue.total_count + given["more"] if given["more"] else None
            return Change(status, muted_until_ms=self.muted_until_ms(), muted_until_count=count)
        return Change(status, in_next_release=status == Status.RESOLVED and given["next_release"])

    def seen_change(self) -> int | None:
        """The newest change the page showed, None from a form that does not say."""
        return number_in(self.cleaned_data["seen"])

    def muted_until_ms(self) -> int | None:
        """When the mute ends: so many hours from now, or where that day begins (UTC). The form must be valid."""
        hours, until = self.cleaned_data["hours"], self.cleaned_data["until"]
        if hours:
            return self.now_ms + int(hours) * HOUR_MS
        return None if until is None else day_ms(until)


def day_ms(day: date) -> int:
    """Where a day begins, epoch ms UTC."""
    return to_ms(datetime.combine(day, time.min, tzinfo=UTC))


class NoteForm(forms.Form):
    """A note on an issue; services.notes says what may stand in it."""

    # Every change of status carries the draft along, and htmx sends nothing while something of it is not valid.
    use_required_attribute = False

    note = forms.CharField(required=False, label="Note", widget=forms.Textarea(attrs=NOTE_FIELD))
