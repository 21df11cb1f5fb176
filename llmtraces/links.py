"""Addresses of the section's pages about one thing; ids stand in the query, for they may hold slashes."""

from urllib.parse import urlencode

from django.urls import reverse


def trace_url(project_slug: str, trace_id: str, span_id: str = "") -> str:
    """The page of a trace, or of one of its spans."""
    return place_of("trace", project_slug, id=trace_id, span=span_id)


def traces_url(project_slug: str, **filters: str) -> str:
    """The list of traces narrowed to what is given, over all the time it can show."""
    return f"{reverse('llm:traces')}?{urlencode({'project': project_slug, 'hours': '720', **filters})}"


def place_of(name: str, project_slug: str, **query: str) -> str:
    """The address of the route `llm:<name>` in a project; empty texts are left out of its query."""
    shown = {key: value.encode(errors="replace").decode() for key, value in query.items() if value}
    return f"{reverse(f'llm:{name}', args=[project_slug])}?{urlencode(shown)}"
