"""Settings, LLM tracing of a project: what is kept, what is masked, budget, prices, and pricing anew."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import actor_of
from accounts.http import PageRequest
from bloop_site.lib.clock import HOUR_MS, now_ms
from bloop_site.lib.figures import exact_money
from llmtraces import tasks
from llmtraces.dashboard import settings_forms as forms
from llmtraces.dashboard.shell import when_enabled
from llmtraces.masking import KINDS, ExpressionInvalid, Masking, check_expressions
from llmtraces.models import PriceOverride
from llmtraces.queries.budget import budget_of
from llmtraces.queries.prices import overrides_within, unpriced
from llmtraces.queries.recalculations import latest_recalculation
from llmtraces.queries.settings import decided_by, policy_changed
from llmtraces.queries.window import Window, names_in
from llmtraces.services.recalculate import AlreadyRunning, start_recalculation
from llmtraces.services.settings import SettingsInvalid, set_budget, set_masking, set_policy
from projects.access import Reach, may_manage, project_by_slug
from projects.dashboard.project import managed
from projects.models import Project

PAGE = "llm/settings.html"
MONTH_HOURS = 720
MOST_NAMED = 20  # models without a price; the Models page has more


@dataclass(frozen=True)
class PriceRow:
    """An override as the table shows it: dollars for a million tokens, which are as many microdollars as a token's
    picos. project: "" holds for all.
    """

    model: str
    provider: str
    input_price: str
    output_price: str
    project: str
    updated_ms: int
    may_remove: bool


# --- The page ---------------------------------------------------------------------------------------------------------


@when_enabled
@never_cache
@require_safe
def llm_settings(request: PageRequest, slug: str) -> HttpResponseBase:
    """What holds for the traces of a project, for who sees it; who manages it may change it."""
    project = project_by_slug(request.user, slug)
    return render(request, PAGE, page_context(request, project))


def page_context(request: PageRequest, project: Project, **shown: Any) -> dict[str, Any]:
    """What the page shows. shown: forms that were refused, in the place of what holds; what a sample becomes."""
    now, manages = now_ms(), may_manage(request.user, project)
    decided, budget = decided_by(project.pk), budget_of(project.pk, now_ms=now)
    window = Window(Reach((project.pk,)), MONTH_HOURS, now)
    without_price = unpriced(window)
    return {
        "project": project,
        "may_manage": manages,
        "decided": decided,
        "policies": forms.POLICIES,
        "policy_changed": policy_changed(project.pk),
        "default_policy": settings.BLOOP.llm_tracing.default_content_storage,
        "kinds": [(kind, label, forms.MASK_WORDS[kind]) for kind, (label, _) in KINDS.items()],
        "masking_form": forms.MaskingForm(initial={"expressions": "\n".join(decided.mask_expressions)}),
        "chosen_kinds": decided.mask_kinds,
        "budget": budget,
        "budget_form": forms.BudgetForm(
            initial={
                "dollars": f"{budget.monthly_budget_micros / forms.MICROS:.2f}",
                "threshold": budget.alert_threshold_pct,
            }
        ),
        "prices": price_rows(request, project, manages=manages),
        "price_form": forms.PriceForm(
            initial={
                "model": request.GET.get("model", ""),
                "provider": request.GET.get("provider", ""),
                "project": project.slug,
            },
            projects=[(project.slug, "This project"), *([("", "All projects")] if request.user.is_admin else [])],
        ),
        "unpriced": without_price[:MOST_NAMED],
        "unpriced_more": max(0, len(without_price) - MOST_NAMED),
        "model_names": sorted({model for model, _ in names_in(window)} - {""}),
        "recalculate_form": forms.RecalculateForm(),
        "work": latest_recalculation(project.pk),
        "url": reverse("llm:settings", args=[project.slug]),
        **shown,
    }


def price_rows(request: PageRequest, project: Project, *, manages: bool) -> list[PriceRow]:
    """The project's own prices, and those for all."""
    return [
        PriceRow(
            model=row.model,
            provider=row.provider,
            input_price=exact_money(row.input_picos),
            output_price=exact_money(row.output_picos),
            project=project.slug if row.project_id else "",
            updated_ms=row.updated_ms,
            may_remove=may_remove(request, row, manages=manages),
        )
        for row in overrides_within(Reach((project.pk,)))
    ]


def may_remove(request: PageRequest, row: PriceOverride, *, manages: bool) -> bool:
    """A project's prices are for who manages it, those for all projects for admins."""
    return manages if row.project_id else request.user.is_admin


def refused(request: PageRequest, project: Project, **shown: Any) -> HttpResponse:
    """The page with the form that was not taken."""
    return render(request, PAGE, page_context(request, project, **shown), status=422)


def back_to(project: Project, part: str) -> HttpResponse:
    """See the part of the page again."""
    return redirect(f"{reverse('llm:settings', args=[project.slug])}#{part}")


# --- Acts -------------------------------------------------------------------------------------------------------------


@when_enabled
@managed
def choose_policy(request: PageRequest, project: Project) -> HttpResponse:
    """Set what is kept of traces that come from now on."""
    form = forms.PolicyForm(request.POST)
    if not form.is_valid():
        return refused(request, project, policy_form=form)
    set_policy(project=project, policy=form.cleaned_data["policy"], actor=actor_of(request), now=timezone.now())
    messages.success(request, "Saved. It holds for traces that arrive from now on.")
    return back_to(project, "policy")


@when_enabled
@managed
def choose_masking(request: PageRequest, project: Project) -> HttpResponse:
    """Set what is masked in texts that come from now on."""
    form = forms.MaskingForm(request.POST)
    if form.is_valid():
        kinds, expressions = form.cleaned_data["kinds"], form.cleaned_data["expressions"]
        try:
            set_masking(
                project=project, kinds=kinds, expressions=expressions, actor=actor_of(request), now=timezone.now()
            )
        except SettingsInvalid as error:
            form.refuse("expressions", error)
        else:
            messages.success(request, "Saved. It holds for traces that arrive from now on.")
            return back_to(project, "masking")
    return refused(request, project, masking_form=form, chosen_kinds=request.POST.getlist("kinds"))


@when_enabled
@managed
def try_masking(request: PageRequest, project: Project) -> HttpResponse:
    """Show what a sample becomes under masking that need not be saved yet; htmx gets that alone."""
    form = forms.MaskingForm(request.POST)
    tried = None
    if form.is_valid():
        try:
            check_expressions(form.cleaned_data["expressions"])
        except ExpressionInvalid as error:
            form.refuse("expressions", error)
        else:
            masking = Masking(form.cleaned_data["kinds"], form.cleaned_data["expressions"])
            tried = masking.text(form.cleaned_data["sample"])
    status = 200 if tried is not None else 422
    if request.htmx:
        problem = next((errors[0] for errors in form.errors.values()), "")
        return render(request, f"{PAGE}#tried", {"tried": tried, "problem": problem}, status=status)
    shown = {"masking_form": form, "chosen_kinds": request.POST.getlist("kinds"), "tried": tried}
    return render(request, PAGE, page_context(request, project, **shown), status=status)


@when_enabled
@managed
def choose_budget(request: PageRequest, project: Project) -> HttpResponse:
    """Set what a month may cost."""
    form = forms.BudgetForm(request.POST)
    if not form.is_valid():
        return refused(request, project, budget_form=form)
    set_budget(
        project=project,
        monthly_budget_micros=int(form.cleaned_data["dollars"] * forms.MICROS),
        alert_threshold_pct=form.cleaned_data["threshold"],
        actor=actor_of(request),
        now=timezone.now(),
    )
    messages.success(request, "Budget saved.")
    return back_to(project, "budget")


# --- Pricing anew -----------------------------------------------------------------------------------------------------


@when_enabled
@managed
def recalculate(request: PageRequest, project: Project) -> HttpResponse:
    """Have the costs of a window's traces worked out anew, in the background."""
    form = forms.RecalculateForm(request.POST)
    if not form.is_valid():
        return refused(request, project, recalculate_form=form)
    now, hours = now_ms(), int(form.cleaned_data["hours"])
    try:
        start_recalculation(
            project=project,
            since_ms=now - hours * HOUR_MS if hours else 0,
            until_ms=now + 1,
            actor=actor_of(request),
            now_ms=now,
        )
    except AlreadyRunning:
        messages.error(request, "One is running already.")
    else:
        tasks.queue_recalculations()
    return back_to(project, "recalculate")


@when_enabled
@never_cache
@require_safe
def recalculation(request: PageRequest, slug: str) -> HttpResponseBase:
    """How far the last one is, as the page shows it."""
    project = project_by_slug(request.user, slug)
    return render(request, f"{PAGE}#work", {"project": project, "work": latest_recalculation(project.pk)})
