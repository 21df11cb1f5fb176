"""The Sessions page."""

from django.http import HttpResponseBase

from accounts.http import PageRequest
from llmtraces.dashboard.shell import answer, llm_page, shell_of


@llm_page
def sessions(request: PageRequest) -> HttpResponseBase:
    """The Sessions page."""
    shell = shell_of(request)
    return answer(request, shell, "llm/sessions.html", {})
