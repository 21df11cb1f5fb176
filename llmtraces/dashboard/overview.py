"""The Overview page."""

from django.http import HttpResponseBase

from accounts.http import PageRequest
from llmtraces.dashboard.shell import answer, llm_page, shell_of


@llm_page
def overview(request: PageRequest) -> HttpResponseBase:
    """The Overview page."""
    shell = shell_of(request)
    return answer(request, shell, "llm/overview.html", {})
