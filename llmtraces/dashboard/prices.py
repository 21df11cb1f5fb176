"""Setting and removing the price of a model, from whichever page shows it."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from accounts.access import actor_of
from accounts.http import PageRequest
from llmtraces.dashboard.shell import when_enabled
from llmtraces.services.prices import MILLION, PriceGone, PriceInvalid, picos_of, remove_price, set_price
from projects.access import may_manage, project_by_slug
from projects.models import Project
from projects.services.locking import ProjectGone


@when_enabled
@require_POST
def set_model_price(request: PageRequest) -> HttpResponseBase:
    """Price a model: `project` (a slug; none: all projects, for admins), `model`, `provider`, `input` and `output`.

    The last two in dollars for a million tokens. Leads back to `next`, and says there what was wrong.
    """
    project = priced_project(request)
    model = request.POST.get("model", "")
    try:
        set_price(
            project=project,
            model=model,
            provider=request.POST.get("provider", ""),
            input_picos=picos_of(request.POST.get("input", ""), tokens=MILLION),
            output_picos=picos_of(request.POST.get("output", ""), tokens=MILLION),
            actor=actor_of(request),
            now=timezone.now(),
        )
    except PriceInvalid as error:
        messages.error(request, f"The price was not set: {error}.")
    except ProjectGone:
        raise Http404 from None
    else:
        messages.success(
            request, f"Price of {model.strip()} set. It holds from now on; recalculate to price older traces."
        )
    return next_page(request, project)


@when_enabled
@require_POST
def remove_model_price(request: PageRequest) -> HttpResponseBase:
    """Remove the override of `model` for `project` (a slug; none: the one for all projects), and lead to `next`."""
    project = priced_project(request)
    try:
        remove_price(project=project, model=request.POST.get("model", ""), actor=actor_of(request), now=timezone.now())
    except PriceGone:
        messages.error(request, "That price was removed already.")
    else:
        messages.success(request, "Price removed.")
    return next_page(request, project)


def priced_project(request: PageRequest) -> Project | None:
    """The project to price for, None for all. Raises Http404, and PermissionDenied for who may not."""
    slug = request.POST.get("project", "")
    if not slug:
        if not request.user.is_admin:
            raise PermissionDenied
        return None
    project = project_by_slug(request.user, slug)
    if not may_manage(request.user, project):
        raise PermissionDenied
    return project


def next_page(request: PageRequest, project: Project | None) -> HttpResponse:
    """Back to `next` if that is a page of ours."""
    wanted = request.POST.get("next", "")
    if wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None):
        return HttpResponseRedirect(wanted)  # `redirect` would take a word for the name of a view
    return redirect("llm:settings", project.slug) if project else redirect("llm:models")
