"""Finding the trace that an address names."""

from django.http import Http404

from accounts.http import PageRequest
from llmtraces.models import Trace
from llmtraces.queries.trace_page import trace_in
from projects.access import reach_of_slug


def trace_or_404(request: PageRequest, project_slug: str) -> Trace:
    """The trace `?id=` of the project. What is not there and what is not theirs are the same answer."""
    trace = trace_in(reach_of_slug(request.user, project_slug), request.GET.get("id", ""))
    if trace is None:
        msg = "no such trace"
        raise Http404(msg)
    return trace
