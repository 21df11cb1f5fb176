"""The RAG page."""

from django.http import HttpResponseBase

from accounts.http import PageRequest
from llmtraces.dashboard.shell import answer, llm_page, shell_of


@llm_page
def rag(request: PageRequest) -> HttpResponseBase:
    """The RAG page."""
    shell = shell_of(request)
    return answer(request, shell, "llm/rag.html", {})
