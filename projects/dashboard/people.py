"""Settings, members and invites: for admins."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import queries
from accounts.access import actor_of, admin_page
from accounts.http import PageRequest
from accounts.models import Role, User
from accounts.services.invites import revoke_invite
from accounts.services.members import LastAdmin, OwnAccount, change_role, remove_user
from bloop_site.lib.links import page_links
from projects.access import visible_projects
from projects.dashboard.forms import HashForm, InviteForm, RoleForm, sentence
from projects.dashboard.rows import ENDED_SHOWN, invite_rows, person_rows
from projects.services.locking import ProjectGone
from projects.services.members import invite_to

GONE = "That account does not exist any more."


@admin_page
@require_safe
def members(request: PageRequest) -> HttpResponse:
    """Everybody with an account."""
    rows, page = person_rows(request.user, wanted=request.GET.get("page"))
    return render(request, "settings/members.html", {"rows": rows, "page": page_links(request.GET, page)})


@admin_page
@require_POST
def role(request: PageRequest, user_id: UUID) -> HttpResponse:
    """Make somebody an admin or a member."""
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose a role: admin or member.")
        return redirect("settings:members")
    try:
        user = change_role(user_id=user_id, role=form.cleaned_data["role"], actor=actor_of(request), now=timezone.now())
    except User.DoesNotExist:
        messages.error(request, GONE)
    except (OwnAccount, LastAdmin) as reason:
        messages.error(request, sentence(reason))
    else:
        messages.success(request, f"{user.username} is {'an admin' if user.is_admin else 'a member'} now.")
    return redirect("settings:members")


@admin_page
@require_POST
def remove(request: PageRequest, user_id: UUID) -> HttpResponse:
    """Remove an account."""
    try:
        remove_user(user_id=user_id, actor=actor_of(request), now=timezone.now())
    except (OwnAccount, LastAdmin) as reason:
        messages.error(request, sentence(reason))
    else:
        messages.success(request, "Removed: that account is gone, and so is every way into it.")
    return redirect("settings:members")


@never_cache
@admin_page
@require_http_methods(["GET", "HEAD", "POST"])
def invites(request: PageRequest) -> HttpResponse:
    """The invites with their links; POST makes one."""
    projects = list(visible_projects(request.user).values_list("slug", "name"))
    form = InviteForm(request.POST if request.method == "POST" else None, projects=projects)
    if form.is_bound and form.is_valid() and make(request, form):
        messages.success(request, "The invite is made. Send its link to one person.")
        return redirect("settings:invites")
    rows = invite_rows(queries.invites(timezone.now()))
    ended = [row for row in rows if row.state != "open"]
    context = {
        "form": form,
        "chosen_projects": request.POST.getlist("projects"),
        "rows": [row for row in rows if row.state == "open"],
        "ended": ended[:ENDED_SHOWN],
        "ended_count": len(ended),
    }
    return render(request, "settings/invites.html", context, status=422 if form.errors else 200)


def make(request: PageRequest, form: InviteForm) -> bool:
    """Make the invite; projects matter to members only. Returns whether it was made."""
    chosen = form.cleaned_data["projects"] if form.cleaned_data["role"] == Role.MEMBER else []
    try:
        invite_to(
            role=form.cleaned_data["role"],
            projects=list(visible_projects(request.user).filter(slug__in=chosen)),
            created_by=request.user,
            actor=actor_of(request),
            now=timezone.now(),
        )
    except ProjectGone:
        form.refuse("projects", "One of them is being deleted")
        return False
    return True


@admin_page
@require_POST
def revoke(request: PageRequest) -> HttpResponse:
    """End an invite that nobody used."""
    form = HashForm({"hash": request.POST.get("invite")})
    if form.is_valid() and revoke_invite(
        token_hash=form.cleaned_data["hash"], actor=actor_of(request), now=timezone.now()
    ):
        messages.success(request, "Revoked: that link does not work any more.")
    else:
        messages.error(request, "That invite was used or revoked already.")
    return redirect("settings:invites")
