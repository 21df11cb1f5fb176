"""The Tools page: spans of type tool or retrieval, by name (contract 8.5.9)."""

from django.http import HttpResponseBase

from accounts.http import PageRequest
from bloop_site.lib.pages import wants_csv
from llmtraces.dashboard.shell import answer, csv_answer, llm_page, shell_of
from llmtraces.queries.tools import Tool
from llmtraces.queries.tools import tools as tools_of

LIMIT = 200
CSV_HEADER = (
    "tool",
    "calls",
    "errors",
    "error_rate_pct",
    "avg_latency_ms",
    "p50_latency_ms",
    "p99_latency_ms",
    "cost_micros",
)


@llm_page
def tools(request: PageRequest) -> HttpResponseBase:
    """The Tools page; its table as CSV."""
    shell = shell_of(request)
    listed = tools_of(shell.window, limit=LIMIT)
    if wants_csv(request):
        return csv_answer(shell, "tools", CSV_HEADER, map(csv_row, listed))
    return answer(request, shell, "llm/tools.html", {"tools": listed, "limit": LIMIT, "is_cut": len(listed) == LIMIT})


def csv_row(tool: Tool) -> tuple[object, ...]:
    """In the order of CSV_HEADER."""
    return (
        tool.name,
        tool.call_count,
        tool.error_count,
        tool.error_rate,
        tool.avg_latency_ms,
        tool.p50_latency_ms,
        tool.p99_latency_ms,
        tool.total_cost_micros,
    )
