"""The Prompts page."""

from django.http import HttpResponseBase

from accounts.http import PageRequest
from llmtraces.dashboard.shell import answer, llm_page, shell_of


@llm_page
def prompts(request: PageRequest) -> HttpResponseBase:
    """The Prompts page."""
    shell = shell_of(request)
    return answer(request, shell, "llm/prompts.html", {})
