"""The Tools page."""

from django.http import HttpResponseBase

from accounts.http import PageRequest
from llmtraces.dashboard.shell import answer, llm_page, shell_of


@llm_page
def tools(request: PageRequest) -> HttpResponseBase:
    """The Tools page."""
    shell = shell_of(request)
    return answer(request, shell, "llm/tools.html", {})
