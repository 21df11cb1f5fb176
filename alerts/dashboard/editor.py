"""The editor of a rule: a kind's sentence to fill in, filters, whom to tell, and what it would have done last week."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import actor_of
from accounts.http import PageRequest
from alerts.configs import Config
from alerts.dashboard.door import changeable_rule, managed_projects, rule_choices
from alerts.dashboard.forms import ChannelForm, RuleForm
from alerts.dashboard.kinds import KINDS, Kind, ParamsForm, offered_kinds, pieces_of
from alerts.dashboard.rows import channel_row, hook_names
from alerts.dashboard.rule import add_from
from alerts.models import AlertRule
from alerts.queries.draft import Draft
from alerts.queries.rules import channels_of
from alerts.sentences import sentence_of, span_words
from alerts.services.rules import NewRule, RuleGone, RuleInvalid, create_rule, update_rule
from bloop_site.lib.clock import now_ms
from bloop_site.lib.links import with_query
from projects.models import Project
from projects.services.locking import ProjectGone

PAGE = "alerts/editor.html"
USUAL = "new_issue"


@dataclass
class Forms:
    """The three forms of the page. channel: None where a rule is there already, whose project is the only one."""

    kind: Kind
    rule: RuleForm
    params: ParamsForm
    channel: ChannelForm | None
    projects: list[Project]

    def read(self) -> Config | None:
        """The config, if all forms hold what they should."""
        valid = [form.is_valid() for form in (self.rule, self.params, self.channel) if form is not None]
        return self.params.read() if all(valid) else None

    @property
    def project(self) -> Project | None:
        """The chosen project, or that of the rule; None for all."""
        if "project" not in self.rule.fields:
            return self.projects[0] if self.projects else None
        slug = self.rule.cleaned_data["project"]
        return next((project for project in self.projects if project.slug == slug), None)

    def refuse(self, reason: RuleInvalid) -> None:
        """Show a service's reason where it belongs."""
        words = str(reason)
        name = next((name for name in self.rule.fields if words.startswith(name)), None)
        self.rule.refuse(name, words)


def kind_of(wanted: str | None) -> Kind:
    """The kind of the address; nonsense is the usual one."""
    offered = {kind.type: kind for kind in offered_kinds()}
    return offered.get(wanted or "", offered[USUAL])


def new_forms(request: PageRequest, data: QueryDict | None = None) -> Forms:
    """The forms of a new rule, filled with `data` if they were sent."""
    projects = managed_projects(request.user)
    choices = rule_choices(request.user, projects)
    kind = kind_of(request.GET.get("kind") if data is None else data.get("kind"))
    initial = {"name": kind.label, "project": usual_project(request, choices)}
    return Forms(
        kind=kind,
        rule=RuleForm(data, initial=initial, projects=choices),
        params=kind.form(data),
        channel=ChannelForm(data, may_wait=True, initial={"channel_type": ""}),
        projects=projects,
    )


def usual_project(request: PageRequest, choices: list[tuple[str, str]]) -> str:
    """The project the page came from, if a rule may be made for it."""
    slug = request.GET.get("project", "")
    return slug if slug in dict(choices) else choices[0][0] if choices else ""


def forms_of(request: PageRequest, rule: AlertRule, data: QueryDict | None = None) -> Forms:
    """The forms of a rule that is there: of its own kind, or of another that is chosen instead."""
    projects = [rule.project] if rule.project else []
    wanted = request.GET.get("kind") if data is None else data.get("kind")
    kind = KINDS.get(wanted or "", KINDS[rule.rule_type])
    own = rule.config if kind.type == rule.rule_type and isinstance(rule.config, dict) else {}
    initial = {
        "name": rule.name,
        "environment_filter": rule.environment_filter,
        "source_filter": rule.source_filter,
        "cooldown_secs": rule.cooldown_secs,
        "description": rule.description,
    }
    return Forms(
        kind=kind,
        rule=RuleForm(data, initial=initial, projects=None),
        params=kind.form(data, initial=own),
        channel=None,
        projects=projects,
    )


def page_context(request: PageRequest, forms: Forms, rule: AlertRule | None, **shown: Any) -> dict[str, Any]:
    """What the page shows."""
    offered = offered_kinds()
    if forms.kind not in offered:
        offered.append(forms.kind)
    return {
        "rule": rule,
        "forms": forms,
        "kind": forms.kind,
        "pieces": pieces_of(forms.kind, forms.params),
        "kinds": [(kind, kind_url(request, kind), kind is forms.kind) for kind in offered],
        "channels": [channel_row(channel) for channel in channels_of(rule)] if rule else [],
        "hooks": hook_names(),
        # A rule about new errors asks for one in its sentence; a second one beside it is shown where it is in force.
        "asks_environment": forms.kind.type != USUAL or bool(forms.rule["environment_filter"].value()),
        "usual_cooldown": span_words(settings.BLOOP.alerting.cooldown_secs),
        "may_make": rule is not None or bool(forms.rule.offered),
        "action": reverse("alerts:edit", args=[rule.pk]) if rule else reverse("alerts:new"),
        "preview_url": reverse("alerts:preview-of", args=[rule.pk]) if rule else reverse("alerts:preview"),
        **shown,
    }


def kind_url(request: PageRequest, kind: Kind) -> str:
    """The page for another kind."""
    return with_query(request.GET, kind=kind.type)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: PageRequest) -> HttpResponse:
    """The editor of a new rule; POST makes it, with a channel if one is chosen."""
    forms = new_forms(request, request.POST if request.method == "POST" else None)
    if request.method != "POST":
        return render(request, PAGE, page_context(request, forms, None))
    rule = made(request, forms)
    if rule is None:
        return render(request, PAGE, page_context(request, forms, None), status=422)
    if forms.channel is not None:
        add_from(request, rule, forms.channel)
    return redirect("alerts:rule", rule.pk)


def made(request: PageRequest, forms: Forms) -> AlertRule | None:
    """The new rule, or None with the refusal in the forms."""
    config = forms.read()
    if config is None:
        return None
    data = forms.rule.cleaned_data
    try:
        return create_rule(
            project=forms.project,
            new=NewRule(
                name=data["name"],
                config=config,
                description=data["description"],
                environment_filter=data["environment_filter"],
                source_filter=data["source_filter"],
                cooldown_secs=data["cooldown_secs"],
            ),
            actor=actor_of(request),
            now_ms=now_ms(),
        )
    except RuleInvalid as reason:
        forms.refuse(reason)
    except ProjectGone:
        forms.rule.refuse("project", "It is being deleted")
    return None


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: PageRequest, rule_id: int) -> HttpResponse:
    """The editor of a rule, for who may change it."""
    rule = changeable_rule(request, rule_id)
    forms = forms_of(request, rule, request.POST if request.method == "POST" else None)
    if request.method != "POST":
        return render(request, PAGE, page_context(request, forms, rule))
    config = forms.read()
    if config is not None:
        data = forms.rule.cleaned_data
        try:
            update_rule(
                rule_id=rule.pk,
                change={
                    "name": data["name"],
                    "config": config,
                    "description": data["description"],
                    "environment_filter": data["environment_filter"],
                    "source_filter": data["source_filter"],
                    "cooldown_secs": data["cooldown_secs"],
                },
                actor=actor_of(request),
                now_ms=now_ms(),
            )
        except RuleInvalid as reason:
            forms.refuse(reason)
        except RuleGone:
            return redirect("alerts:list")
        else:
            messages.success(request, "Saved.")
            return redirect("alerts:rule", rule.pk)
    return render(request, PAGE, page_context(request, forms, rule), status=422)


# --- What it would have done ------------------------------------------------------------------------------------------


@require_POST
def preview(request: PageRequest, rule_id: int | None = None) -> HttpResponse:
    """What the rule of the form would have done in the last seven days; htmx gets that alone, others the page."""
    from alerts.queries.preview import would_have_fired  # noqa: PLC0415  numpy is loaded when a preview is asked for

    rule = None if rule_id is None else changeable_rule(request, rule_id)
    forms = new_forms(request, request.POST) if rule is None else forms_of(request, rule, request.POST)
    draft = draft_of(forms)
    shown: dict[str, Any] = {"problem": "Fill the sentence in to see what it would have done."}
    if draft is not None:
        found = would_have_fired(draft, now_ms=now_ms())
        shown = {
            "preview": found,
            "preview_sentence": sentence_of(
                draft.config, environment=draft.environment_filter, source=draft.source_filter
            ),
        }
    if request.htmx:
        return render(request, "alerts/_preview.html", shown)
    return render(request, PAGE, page_context(request, forms, rule, **shown))


def draft_of(forms: Forms) -> Draft | None:
    """What the forms say so far; a name and a channel are not needed yet."""
    forms.rule.is_valid()
    data = forms.rule.cleaned_data
    config = forms.params.read() if forms.params.is_valid() else None
    if config is None or "project" in forms.rule.errors:
        return None
    return Draft(
        config=config,
        project_id=forms.project.pk if forms.project else None,
        environment_filter=data.get("environment_filter") or None,
        source_filter=data.get("source_filter") or None,
        cooldown_secs=data.get("cooldown_secs"),
    )
