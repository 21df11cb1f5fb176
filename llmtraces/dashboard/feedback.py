"""The Feedback page: what people think of what the program answered, over time and one by one."""

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase

from accounts.http import PageRequest
from bloop_site.lib.charts import slots_words
from bloop_site.lib.links import page_links, with_query
from bloop_site.lib.pages import wants_csv
from bloop_site.lib.pagination import page_of
from llmtraces.dashboard.judging_view import feedback_view, thumb_bars
from llmtraces.dashboard.shell import Shell, answer, csv_answer, llm_page, shell_of
from llmtraces.queries.judgements import feedback_list, is_hourly, step_ms, thumbs_over_time, thumbs_together

PAGE_SIZE = 25
MAX_CSV_ROWS = 10_000
VALUES = {"1": 1, "-1": -1}
HEADER = ("trace_id", "trace", "project", "user", "value", "comment", "created_at_ms")


@llm_page
def feedback(request: PageRequest) -> HttpResponseBase:
    """Totals, the course of them, and the newest feedback; `?value=1` or `-1` for one kind. The list as CSV."""
    shell = shell_of(request)
    value = VALUES.get(request.GET.get("value", ""))
    if wants_csv(request):
        return feedback_csv(shell, value)
    steps = thumbs_over_time(shell.window)
    total = thumbs_together(steps)
    page = page_of(wanted=request.GET.get("page"), size=PAGE_SIZE, total=total.of(value))
    rows = feedback_list(shell.window, steps, value=value, offset=page.offset, limit=PAGE_SIZE)
    context = {
        "total": total,
        "steps": steps,
        "bars": thumb_bars(steps),
        "slots": slots_words(steps[0].since_ms, step_ms(shell.window), len(steps)),
        "peak": max((each.total for each in steps), default=0),
        "each_words": "hour" if is_hourly(shell.window) else "day",
        "rows": [feedback_view(row) for row in rows],
        "page": page_links(request.GET, page),
        "value": value,
        "all_url": with_query(request.GET, value=None, page=None),
        "origin": settings.BLOOP.auth.rp_origin,
    }
    return answer(request, shell, "llm/feedback.html", context)


def feedback_csv(shell: Shell, value: int | None) -> HttpResponse:
    """The newest feedback as a download."""
    steps = thumbs_over_time(shell.window)
    rows = feedback_list(shell.window, steps, value=value, offset=0, limit=MAX_CSV_ROWS)
    lines = (
        (each.trace_id, each.trace_name, each.project_slug, each.user_id, each.value, each.comment, each.created_ms)
        for each in rows
    )
    return csv_answer(shell, "feedback", HEADER, lines)
