"""The Usage page: hour by hour and model by model, tokens and what they cost."""

from django.http import HttpResponseBase

from accounts.http import PageRequest
from bloop_site.lib.csv_files import iso
from bloop_site.lib.links import Choice, page_links, with_query
from bloop_site.lib.pages import wants_csv
from bloop_site.lib.pagination import page_of
from llmtraces.dashboard.charts import by_model
from llmtraces.dashboard.shell import Shell, answer, csv_answer, dollars, llm_page, shell_of
from llmtraces.queries.series import leading_models, models_over_time, slots_of
from llmtraces.queries.usage import usage_by_hour, usage_hours

PAGE_SIZE = 50
MOST_ROWS = 100_000  # of a download
HEADER = (
    *("hour", "model", "provider", "requests", "errors", "input_tokens", "output_tokens", "total_tokens"),
    *("cost_micros", "cost_dollars", "unpriced"),
)


@llm_page
def usage(request: PageRequest) -> HttpResponseBase:
    """The Usage page; `show=cost` draws cost instead of tokens. Or its rows as CSV."""
    shell = shell_of(request)
    if wants_csv(request):
        return usage_csv(shell)
    window, is_cost = shell.window, request.GET.get("show") == "cost"
    page = page_of(wanted=request.GET.get("page"), size=PAGE_SIZE, total=usage_hours(window))
    leading = leading_models(window)
    found = models_over_time(window, leading=leading)
    title = "Cost by model" if is_cost else "Tokens by model"
    context = {
        "rows": usage_by_hour(window, limit=PAGE_SIZE, offset=page.offset),
        "page": page_links(request.GET, page),
        "chart": by_model("usage", title, slots_of(window), found, leading, cost=is_cost),
        "switch": [
            Choice("Tokens", with_query(request.GET, show=None), not is_cost),
            Choice("Cost", with_query(request.GET, show="cost"), is_cost),
        ],
    }
    return answer(request, shell, "llm/usage.html", context)


def usage_csv(shell: Shell) -> HttpResponseBase:
    """All rows of the window, the newest hour first, whatever page is shown."""
    rows = (
        (
            *(iso(row.hour_ms), row.model, row.provider, row.usage.span_count, row.usage.error_count),
            *(row.usage.input_tokens, row.usage.output_tokens, row.usage.total_tokens),
            *(row.usage.cost_micros, dollars(row.usage.cost_micros), row.usage.unpriced_count),
        )
        for row in usage_by_hour(shell.window, limit=MOST_ROWS)
    )
    return csv_answer(shell, "usage", HEADER, rows)
