"""Addresses of the section's pages about one thing; ids stand in the query, for they may hold slashes."""

from urllib.parse import urlencode


def trace_url(project_slug: str, trace_id: str) -> str:
    """The page of a trace."""
    return f"/llm/trace/{project_slug}?{urlencode({'id': trace_id})}"
