"""The Usage page."""

from django.http import HttpResponseBase

from accounts.http import PageRequest
from llmtraces.dashboard.shell import answer, llm_page, shell_of


@llm_page
def usage(request: PageRequest) -> HttpResponseBase:
    """The Usage page."""
    shell = shell_of(request)
    return answer(request, shell, "llm/usage.html", {})
