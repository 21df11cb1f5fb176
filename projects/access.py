"""The one door: what of Bloop a caller may reach. Not found and not yours are the same answer."""

from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import Http404

from accounts.models import User
from projects.models import SLUG, ApiToken, Membership, Project


@dataclass(frozen=True)
class Reach:
    """The projects a request may touch; `None` means every project (an admin without a filter)."""

    project_ids: tuple[str, ...] | None

    def covers(self, project_id: str) -> bool:
        """Whether the project lies within."""
        return self.project_ids is None or project_id in self.project_ids


def live_projects() -> QuerySet[Project]:
    """Every project but those being removed."""
    return Project.objects.filter(removing_at=None)


def visible_projects(user: User) -> QuerySet[Project]:
    """Every project for an admin, their own for a member; by name."""
    projects = live_projects().order_by("name", "id")
    return projects if user.is_admin else projects.filter(memberships__user=user)


def manageable_projects(user: User) -> QuerySet[Project]:
    """The projects whose keys, tokens and members this user may change: an admin all, others what they made."""
    projects = visible_projects(user)
    return projects if user.is_admin else projects.filter(created_by=user)


def may_see(user: User, project: Project) -> bool:
    """Whether the project exists for the user: what is not theirs is answered as if it did not."""
    if user.is_admin:
        return project.removing_at is None
    return visible_projects(user).filter(pk=project.pk).exists()


def may_manage(user: User, project: Project) -> bool:
    """Whether the user may rename, delete and open the project to others (contract 5.1, 5.2).

    An admin may; so may its creator, as long as nobody took them out of it.
    """
    if user.is_admin:
        return True
    return project.created_by_id == user.pk and Membership.objects.filter(project=project, user=user).exists()


def reach_of(user: User, *, project_id: str | None = None) -> Reach:
    """What a signed-in user may reach, narrowed to one project id if one is named.

    A foreign or unknown project narrows to nothing: its lists are empty (appendix D 7), its things are not found.
    """
    if user.is_admin:
        return reach_of_admin(project_id)
    own = tuple(visible_projects(user).values_list("pk", flat=True))
    return Reach(tuple(each for each in own if project_id in (None, each)))


def reach_of_admin(project_id: str | None) -> Reach:
    """Everything, or the one project named; without what is being removed, which is mostly nothing."""
    removing = set(Project.objects.exclude(removing_at=None).values_list("pk", flat=True))
    if project_id is not None:
        return Reach(() if project_id in removing or "\x00" in project_id else (project_id,))
    return Reach(tuple(live_projects().values_list("pk", flat=True)) if removing else None)


def reach_of_token(token: ApiToken) -> Reach:
    """A token reaches its own project, whatever the query says (contract 0.4, rule 3)."""
    return Reach((token.project_id,))


def project_by_slug(user: User, slug: str) -> Project:
    """The project with this slug, if this user may see it. Raises Http404."""
    project = visible_projects(user).filter(slug=slug).first() if SLUG.fullmatch(slug) else None
    if project is None:
        msg = "project not found"
        raise Http404(msg)
    return project


def reach_of_slug(user: User, slug: str | None) -> Reach:
    """What a page shows: the project with this slug, else all that the user may see. Raises Http404."""
    return reach_of(user, project_id=project_by_slug(user, slug).pk if slug else None)
