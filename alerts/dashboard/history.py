"""The history of alerts: every firing, narrowed by rule, project, state and window."""

from typing import Any

from django import forms
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.http import PageRequest
from alerts.dashboard.door import managed_projects, manages
from alerts.dashboard.rows import STATE_WORDS, firing_rows
from alerts.queries.history import HistoryFilter, history_page, names_of_rules
from alerts.queries.rules import rules_within
from bloop_site.lib.clock import HOUR_MS, now_ms
from bloop_site.lib.links import Chip, Choice, number_in, page_links, with_query
from bloop_site.templatetags.ui import visible
from projects.access import Reach, reach_of, reach_of_slug

PAGE_SIZE = 50
OFFERED_RULES = 500
WINDOWS = ((24, "24 h"), (168, "7 d"), (720, "30 d"), (0, "All"))
USUAL_HOURS = 168


class HistoryForm(forms.Form):
    """rules: ids and names to choose from."""

    rule = forms.ChoiceField(required=False, label="Rule")
    state = forms.ChoiceField(choices=[("", "All"), *STATE_WORDS.items()], required=False, label="State")

    def __init__(self, *args: Any, rules: list[tuple[int, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        chosen = self.fields["rule"]
        assert isinstance(chosen, forms.ChoiceField)  # noqa: S101  told to the type checker
        chosen.choices = [("", "All"), *((str(pk), visible(name)) for pk, name in rules)]


@require_safe
@cache_control(private=True, no_cache=True)
@vary_on_headers("HX-Request")
def history(request: PageRequest) -> HttpResponse:
    """The firings within reach, newest first; htmx gets the results alone."""
    query, now = request.GET, now_ms()
    reach = reach_of_slug(request.user, query.get("project"))
    rules = names_of_rules(rules_within(reach), limit=OFFERED_RULES)
    form = HistoryForm(query, rules=rules)
    form.is_valid()
    state, rule_id = form.cleaned_data.get("state", ""), number_in(form.cleaned_data.get("rule") or None)
    hours = hours_of(query)
    shown = HistoryFilter(since_ms=now - hours * HOUR_MS if hours else 0, rule_id=rule_id, state=state)
    rows, page = history_page(reach, shown, wanted=query.get("page"), size=PAGE_SIZE)
    context: dict[str, Any] = {
        "form": form,
        "chips": chips_of(query, dict(rules), state=state, rule_id=rule_id),
        "clear_url": with_query(query, rule=None, state=None, page=None),
        "windows": [
            Choice(label, with_query(query, hours=str(each), page=None), each == hours) for each, label in WINDOWS
        ],
        "kept": [(name, query[name]) for name in ("project", "hours") if name in query],
        "firings": firing_rows(rows, manages=manages(request.user, managed_projects(request.user))),
        "page": page_links(query, page),
        "shows_rule": True,
        "any_rule": bool(rules) or has_rules(reach_of(request.user)),
    }
    if request.htmx and not request.htmx.history_restore_request:
        return render(request, "alerts/history.html#results", context)
    return render(request, "alerts/history.html", context)


def has_rules(reach: Reach) -> bool:
    """Whether there is any rule to have fired."""
    return rules_within(reach).exists()


def hours_of(query: QueryDict) -> int:
    """The window in hours, 0 for all that is kept; nonsense is a week."""
    hours = number_in(query.get("hours"))
    return hours if hours in dict(WINDOWS) else USUAL_HOURS


def chips_of(query: QueryDict, names: dict[int, str], *, state: str, rule_id: int | None) -> list[Chip]:
    """One chip for each filter in force."""
    chips = []
    if rule_id is not None:
        chips.append(Chip("Rule", names.get(rule_id, str(rule_id)), with_query(query, rule=None, page=None)))
    if state:
        chips.append(Chip("State", STATE_WORDS[state], with_query(query, state=None, page=None)))
    return chips
