"""Settings, API tokens: those of the projects a person may manage, a new one shown once, revoking."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import actor_of
from accounts.http import PageRequest
from bloop_site.lib.clock import now_ms
from bloop_site.lib.links import page_links
from bloop_site.lib.once import keep_once, take_once
from bloop_site.templatetags.ui import visible
from projects.access import manageable_projects, visible_projects
from projects.dashboard.forms import TokenForm
from projects.dashboard.rows import token_table
from projects.models import ApiToken
from projects.services.locking import ProjectGone
from projects.services.tokens import (
    NewToken,
    TokenForbidden,
    TokenGone,
    TokenInvalid,
    issue_token,
    revoke_token,
)

FRESH = "token"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def token_list(request: PageRequest) -> HttpResponse:
    """The tokens; POST makes one, which the page then shows once."""
    named = manageable_projects(request.user).values_list("slug", "name")
    projects = [(slug, visible(name)) for slug, name in named]
    form = TokenForm(request.POST if request.method == "POST" else None, projects=projects)
    new = make(request, form) if form.is_bound and form.is_valid() else None
    if new:
        fresh = {"name": new.token.name, "secret": new.secret}
        keep_once(request, name=FRESH, value=fresh, now_ms=now_ms())
        return redirect("settings:tokens")
    table = token_table(request.user, wanted=request.GET.get("page"), now=timezone.now())
    context = {
        "form": form,
        "projects": projects,
        "chosen_scopes": request.POST.getlist("scopes") if form.is_bound else ["errors:read"],
        "fresh_token": take_once(request, name=FRESH, now_ms=now_ms()),
        "rows": table.active,
        "page": page_links(request.GET, table.page),
        "ended": table.ended,
        "ended_count": table.ended_count,
    }
    return render(request, "settings/tokens.html", context, status=422 if form.errors else 200)


def make(request: PageRequest, form: TokenForm) -> NewToken | None:
    """The new token, or None with the refusal in the form."""
    data = form.cleaned_data
    try:
        return issue_token(
            project=manageable_projects(request.user).get(slug=data["project"]),
            name=data["name"],
            scopes=data["scopes"],
            created_by=request.user,
            now=timezone.now(),
            expires_in_days=data["expires"],
            actor=actor_of(request),
        )
    except TokenInvalid as reason:
        form.refuse("name" if "name" in str(reason) else None, reason)
    except ProjectGone:
        form.refuse("project", "It is being deleted")
    return None


@require_POST
def revoke(request: PageRequest, token_id: UUID) -> HttpResponse:
    """End a token at once. One of a project that the person does not see does not exist for them."""
    token = ApiToken.objects.filter(pk=str(token_id), project__in=visible_projects(request.user).order_by()).first()
    if token is None:
        raise Http404
    try:
        revoke_token(token_id=token.pk, by=request.user, actor=actor_of(request), now=timezone.now())
    except TokenGone:
        messages.error(request, "That token was revoked already.")
    except TokenForbidden:
        raise PermissionDenied from None
    else:
        messages.success(request, "Revoked: nothing can use that token any more.")
    return redirect("settings:tokens")
