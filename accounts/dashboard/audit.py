"""Settings, the audit log: who did what administrative act, when and from where. For admins."""

import json
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.access import admin_page
from accounts.audit import COMMAND_LINE, Action
from accounts.http import PageRequest
from accounts.models import AuditEntry, User
from bloop_site.lib.clock import to_ms
from bloop_site.lib.links import Chip, page_links, with_query
from bloop_site.lib.pagination import page_of

PAGE_SIZE = 50
LONGEST_VALUE = 300
LABELS = dict(Action.choices)
CHANGES = (Action.PROJECT_CHANGED, Action.RETENTION_CHANGED)  # whose details are pairs: from, to


class AuditFilterForm(forms.Form):
    action = forms.ChoiceField(choices=[("", "All"), *sorted(Action.choices, key=lambda each: each[1])], required=False)
    person = forms.CharField(
        max_length=64,
        required=False,
        widget=forms.TextInput(
            attrs={"placeholder": "Person", "autocomplete": "off", "spellcheck": "false", "list": "people"}
        ),
    )


@dataclass(frozen=True)
class AuditRow:
    """An act in words. detail: names and values; at_ms: epoch ms."""

    at_ms: int
    actor_name: str
    person_url: str
    action: str
    target: str
    address: str
    detail: list[tuple[str, str]]


@never_cache
@vary_on_headers("HX-Request")
@admin_page
@require_safe
def audit_log(request: PageRequest) -> HttpResponse:
    """The log, newest first; htmx gets the results alone."""
    form = AuditFilterForm(request.GET)
    form.is_valid()
    action, person = form.cleaned_data.get("action", ""), form.cleaned_data.get("person", "")
    entries = AuditEntry.objects.order_by("-pk")
    if action:
        entries = entries.filter(action=action)
    if person:
        entries = entries.filter(actor_name__iexact=person)
    page = page_of(wanted=request.GET.get("page"), size=PAGE_SIZE, total=entries.count())
    context: dict[str, Any] = {
        "form": form,
        "chips": chips_of(request.GET, action=action, person=person),
        "rows": [audit_row(entry, request.GET) for entry in entries[page.offset : page.offset + page.size]],
        "page": page_links(request.GET, page),
    }
    if request.htmx and not request.htmx.history_restore_request:
        return render(request, "settings/audit.html#results", context)
    names = User.objects.order_by("username").values_list("username", flat=True)[:500]
    return render(request, "settings/audit.html", {**context, "people": [COMMAND_LINE.name, *names]})


def chips_of(query: QueryDict, *, action: str, person: str) -> list[Chip]:
    """One chip for each filter in use."""
    chips = []
    if action:
        chips.append(Chip("Action", LABELS[action], with_query(query, action=None, page=None)))
    if person:
        chips.append(Chip("Person", person, with_query(query, person=None, page=None)))
    return chips


def audit_row(entry: AuditEntry, query: QueryDict) -> AuditRow:
    """The entry in words."""
    return AuditRow(
        at_ms=to_ms(entry.at),
        actor_name=entry.actor_name,
        person_url=with_query(query, person=entry.actor_name, page=None),
        action=LABELS.get(entry.action, entry.action.replace("_", " ").capitalize()),
        target=entry.target,
        address=entry.address,
        detail=[detail_words(name, value, action=entry.action) for name, value in sorted(entry.detail.items())],
    )


def detail_words(name: str, value: Any, *, action: str) -> tuple[str, str]:
    """A name and a value of the detail for people: spans of time in words, a change as "from to"."""
    if name.endswith("_seconds") and isinstance(value, int):
        return name.removesuffix("_seconds").replace("_", " "), span_words(value)
    if action in CHANGES and isinstance(value, list) and len(value) == 2:
        return name.replace("_", " "), f"{value_words(value[0])} → {value_words(value[1])}"
    return name.replace("_", " "), value_words(value)


def span_words(seconds: int) -> str:
    """86400 -> "1 day", 7200 -> "2 hours", 90 -> "90 seconds", 0 -> "none"."""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (1, "second")):
        number, rest = divmod(seconds, size)
        if number and not rest:
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return "none"


def value_words(value: Any) -> str:
    """A value of the detail for people: lists by commas, the rest as JSON says it."""
    if value is None:
        text = "not set"
    elif isinstance(value, str):
        text = value
    elif isinstance(value, list):
        text = ", ".join(value_words(each) for each in value)
    else:
        text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
