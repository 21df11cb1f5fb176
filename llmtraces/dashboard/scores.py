"""The Scores page: a card for each score, and the traces of one (seed, tab 8)."""

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase

from accounts.http import PageRequest
from bloop_site.lib.links import Choice, page_links, with_query
from bloop_site.lib.pages import wants_csv
from bloop_site.lib.pagination import page_of
from llmtraces.dashboard.judging_view import card_view, score_view
from llmtraces.dashboard.shell import Shell, answer, csv_answer, llm_page, shell_of
from llmtraces.queries.judgements import FIFTHS, MAX_NAMES, ScoreCard, score_cards, scored_traces

PAGE_SIZE = 25
MAX_CSV_ROWS = 10_000
SORTS = (("worst", "Worst first"), ("newest", "Newest first"))
CARD_HEADER = ("score", "count", "average", "lowest", "highest", *FIFTHS)
TRACE_HEADER = ("trace_id", "trace", "project", "score", "value", "source", "comment", "created_at_ms")


@llm_page
def scores(request: PageRequest) -> HttpResponseBase:
    """All scores as cards; with `?name=` one score and its traces. Both as CSV."""
    shell = shell_of(request)
    name = request.GET.get("name", "").replace("\x00", "")
    return one_score(request, shell, name) if name else all_scores(request, shell)


def all_scores(request: PageRequest, shell: Shell) -> HttpResponse:
    """The cards, the most frequent score first."""
    cards = score_cards(shell.window)
    if wants_csv(request):
        return csv_answer(shell, "scores", CARD_HEADER, map(card_row, cards))
    context = {
        "cards": [card_view(card, with_query(request.GET, name=card.name, page=None)) for card in cards],
        "is_cut": len(cards) == MAX_NAMES,
        "origin": settings.BLOOP.auth.rp_origin,
    }
    return answer(request, shell, "llm/scores.html", context)


def one_score(request: PageRequest, shell: Shell, name: str) -> HttpResponse:
    """One score's card and its traces, page by page: the worst first, or the newest."""
    card = next(iter(score_cards(shell.window, name=name)), ScoreCard(name))
    sort = "newest" if request.GET.get("sort") == "newest" else "worst"
    is_csv = wants_csv(request)
    page = page_of(wanted=None if is_csv else request.GET.get("page"), size=PAGE_SIZE, total=card.count)
    limit = MAX_CSV_ROWS if is_csv else PAGE_SIZE
    rows = scored_traces(shell.window, name, worst=sort == "worst", offset=page.offset, limit=limit)
    if is_csv:
        lines = (
            (
                each.trace_id,
                each.trace_name,
                each.project_slug,
                each.name,
                each.value,
                each.source,
                each.comment,
                each.created_ms,
            )
            for each in rows
        )
        return csv_answer(shell, "score-traces", TRACE_HEADER, lines)
    context = {
        "name": name,
        "sort": sort,
        "score": card_view(card, ""),
        "rows": [score_view(row) for row in rows],
        "page": page_links(request.GET, page),
        "sorts": [Choice(label, with_query(request.GET, sort=each, page=None), each == sort) for each, label in SORTS],
        "all_url": with_query(request.GET, name=None, sort=None, page=None),
    }
    return answer(request, shell, "llm/scores.html", context)


def card_row(card: ScoreCard) -> tuple[object, ...]:
    """In the order of CARD_HEADER."""
    return (card.name, card.count, card.average, card.lowest, card.highest, *card.distribution)
