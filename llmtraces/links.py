"""Addresses of the section's pages about one thing; ids stand in the query, for they may hold slashes. Pure.

A test holds them against the routes.
"""

from urllib.parse import urlencode

TRACES = "/llm/traces"
# Names of the routes about one trace, and their paths.
PLACES = {
    "trace": "/llm/trace/{slug}",
    "trace-tree": "/llm/trace/{slug}/tree",
    "trace-rows": "/llm/trace/{slug}/rows",
    "trace-span": "/llm/trace/{slug}/span",
    "span-text": "/llm/trace/{slug}/text",
}


def trace_url(project_slug: str, trace_id: str, span_id: str = "") -> str:
    """The page of a trace, or of one of its spans."""
    return place_of("trace", project_slug, id=trace_id, span=span_id)


def traces_url(project_slug: str, **filters: str) -> str:
    """The list of traces narrowed to what is given, over all the time it can show."""
    return f"{TRACES}?{urlencode({'project': project_slug, 'hours': '720', **filters})}"


def place_of(name: str, project_slug: str, **query: str) -> str:
    """The address of one of PLACES in a project; empty texts are left out of its query."""
    shown = {key: value.encode(errors="replace").decode() for key, value in query.items() if value}
    return f"{PLACES[name].format(slug=project_slug)}?{urlencode(shown)}"
