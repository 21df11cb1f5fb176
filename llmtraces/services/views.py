"""Saving and deleting views of a project."""

from django.db import IntegrityError, transaction
from django.http import QueryDict

from accounts.models import User
from llmtraces.models import SavedView
from llmtraces.queries.views import kept_query
from projects.models import Project

MOST_VIEWS = 100
MAX_NAME, MAX_QUERY = 80, 2000


class RefusedView(Exception):
    """A view that cannot be saved; its words are for the person."""


def save_view(
    *, project: Project, user: User, name: str, page: str, query: str, pages: frozenset[str], now_ms: int
) -> None:
    """Keep a page with its filters under a name of the project's own. Raises RefusedView.

    pages: the names of pages there are. Writes one row.
    """
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME or not name.isprintable():
        msg = f"A view needs a name of at most {MAX_NAME} characters."
        raise RefusedView(msg)
    filters = kept_query(QueryDict(query))
    if page not in pages or len(filters) > MAX_QUERY:
        msg = "This page cannot be saved as a view."
        raise RefusedView(msg)
    own = SavedView.objects.filter(project=project)
    if own.count() >= MOST_VIEWS:
        msg = f"The project has {MOST_VIEWS} views already. Delete one first."
        raise RefusedView(msg)
    try:
        with transaction.atomic():
            own.create(project=project, created_by=user, created_ms=now_ms, name=name, page=page, query=filters)
    except IntegrityError:
        msg = f"The project has a view called “{name}” already."
        raise RefusedView(msg) from None


def delete_view(*, project: Project, view_id: int) -> bool:
    """Delete a view of the project. Whether it was there."""
    return SavedView.objects.filter(project=project, pk=view_id).delete()[0] > 0
