"""The one door: what of Bloop a caller may reach. Not found and not yours are the same answer."""

from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import Http404

from accounts.models import User
from projects.models import ApiToken, Project


@dataclass(frozen=True)
class Reach:
    """The projects a request may touch; `None` means every project (an admin without a filter)."""

    project_ids: tuple[str, ...] | None

    def covers(self, project_id: str) -> bool:
        """Whether the project lies within."""
        return self.project_ids is None or project_id in self.project_ids


def visible_projects(user: User) -> QuerySet[Project]:
    """Every project for an admin, their own for a member; by name."""
    projects = Project.objects.order_by("name", "id")
    return projects if user.is_admin else projects.filter(memberships__user=user)


def reach_of(user: User, *, project_id: str | None = None) -> Reach:
    """What a signed-in user may reach, narrowed to one project id if one is named.

    A foreign or unknown project narrows to nothing: its lists are empty (appendix D 7), its things are not found.
    """
    if user.is_admin:
        return Reach((project_id,) if project_id is not None else None)
    own = tuple(visible_projects(user).values_list("pk", flat=True))
    return Reach(tuple(each for each in own if project_id in (None, each)))


def reach_of_token(token: ApiToken) -> Reach:
    """A token reaches its own project, whatever the query says (contract 0.4, rule 3)."""
    return Reach((token.project_id,))


def project_by_slug(user: User, slug: str) -> Project:
    """The project with this slug, if this user may see it. Raises Http404."""
    project = visible_projects(user).filter(slug=slug).first()
    if project is None:
        msg = "project not found"
        raise Http404(msg)
    return project
