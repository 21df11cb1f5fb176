"""The Alerts page: every rule as a sentence, whether it is on, whom it tells, when it last fired."""

from typing import Any

from django.db.models import F
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from accounts.access import actor_of
from accounts.http import PageRequest
from alerts.dashboard.door import managed_projects, manages, rule_act
from alerts.dashboard.kinds import offered_kinds
from alerts.dashboard.rows import rule_groups, rule_row
from alerts.models import AlertRule
from alerts.queries.rules import listed_rules, rules_within
from alerts.services.rules import update_rule
from bloop_site.lib.clock import now_ms
from bloop_site.lib.links import page_links
from bloop_site.lib.pagination import page_of
from projects.access import reach_of, reach_of_slug

PAGE_SIZE = 50


@cache_control(private=True, no_cache=True)
@require_safe
def rule_list(request: PageRequest) -> HttpResponse:
    """The rules within reach and those of all projects, or those that hold for the project of `?project=`."""
    reach = reach_of_slug(request.user, request.GET.get("project"))
    rules = rules_within(reach)
    page = page_of(wanted=request.GET.get("page"), size=PAGE_SIZE, total=rules.order_by().count())
    ordered = rules.order_by(F("project__name").asc(nulls_first=True), "project_id", "name", "pk")
    found = list(ordered[page.offset : page.offset + page.size])
    managed = managed_projects(request.user)
    listed = listed_rules(reach, found, now_ms=now_ms())
    context: dict[str, Any] = {
        "groups": rule_groups(listed, manages=manages(request.user, managed)),
        "page": page_links(request.GET, page),
        "kinds": offered_kinds(),
        "may_make": request.user.is_admin or bool(managed),
        "new_url": new_url(request.GET.get("project", "")),
    }
    return render(request, "alerts/list.html", context)


def new_url(project_slug: str, **more: str) -> str:
    """The editor for a new rule, of the project that is chosen."""
    query = {"project": project_slug, **more}
    shown = urlencode({name: value for name, value in query.items() if value})
    return reverse("alerts:new") + (f"?{shown}" if shown else "")


@rule_act
def switch(request: PageRequest, rule: AlertRule) -> HttpResponse:
    """Switch a rule on or off; htmx gets its row."""
    is_on = request.POST.get("on") == "1"
    changed = update_rule(rule_id=rule.pk, change={"is_enabled": is_on}, actor=actor_of(request), now_ms=now_ms())
    if not request.htmx:
        return redirect("alerts:rule", rule.pk) if request.POST.get("next") == "rule" else redirect("alerts:list")
    changed.project = rule.project
    (listed,) = listed_rules(reach_of(request.user), [changed], now_ms=now_ms())
    return render(request, "alerts/_rule.html", {"row": rule_row(listed, changes=True)})
