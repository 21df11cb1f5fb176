"""Saved views: names for a page of the section with its filters."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from llmtraces.models import SavedView
from projects.access import Reach

# Pages that a view may lead to; a page of one thing is none.
PAGES = frozenset(
    {
        *("overview", "usage", "latency", "models", "traces", "search"),
        *("prompts", "scores", "sessions", "tools", "rag", "feedback"),
    }
)
# What is about one project, one answer or one look is no part of a view.
LEFT_OUT = ("project", "page", "format")


@dataclass(frozen=True)
class View:
    """A saved view and where it leads."""

    id: int
    name: str
    url: str


def kept_query(query: QueryDict) -> str:
    """The query string of a view: the page's own without its project and page."""
    return urlencode([(name, query.get(name, "")) for name in query if name not in LEFT_OUT])


def saved_views(reach: Reach) -> list[View]:
    """The views of the one project within reach, by name. One query."""
    rows = SavedView.objects.filter(project_id__in=reach.project_ids or ()).order_by("name", "id")
    return [
        View(id_, name, f"{reverse(f'llm:{page}')}?{urlencode({'project': slug})}{f'&{query}' if query else ''}")
        for id_, name, page, query, slug in rows.values_list("id", "name", "page", "query", "project__slug")
    ]
