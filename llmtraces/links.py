"""Addresses of single traces. Ids may hold slashes and anything else, so they go into the query."""

from urllib.parse import urlencode


def trace_url(project_slug: str, trace_id: str) -> str:
    """The page of one trace."""
    return f"/llm/trace/{project_slug}?{urlencode({'id': trace_id})}"
