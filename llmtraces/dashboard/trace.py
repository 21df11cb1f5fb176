"""The page of a trace: its span tree beside its timeline, and what is kept of the span that is looked at."""

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from accounts.http import PageRequest
from bloop_site.lib.json_view import TreeRow, indented, tree_of
from bloop_site.lib.links import number_in
from bloop_site.lib.pages import wants_part
from llmtraces.chat import Message, messages_of, value_of
from llmtraces.dashboard.sessions import session_url
from llmtraces.dashboard.shell import llm_page
from llmtraces.dashboard.trace_view import Tree, next_error, status_tone, took, tree_view
from llmtraces.dashboard.traced import trace_or_404
from llmtraces.links import place_of, trace_url, traces_url
from llmtraces.models import Span, Trace
from llmtraces.queries.judgements import judgements_of
from llmtraces.queries.settings import policy_of
from llmtraces.queries.trace_page import PARTS, Excerpt, content_of, span_in, whole_text
from projects import crosslinks

MAX_PLAIN = 50_000  # characters of a text that the page shows as it stands
NOT_KEPT = {
    "none": "Not kept: the project's policy is none.",
    "metadata_only": "Not kept: the project's policy is metadata_only.",
    "full": "",
}


@dataclass(frozen=True)
class Shown:
    """A text as the page shows it: as a conversation, as a tree that folds, and always as it stands.

    text: None when none is kept. raw_url: of the whole text. size: of the whole, in characters.
    """

    name: str
    label: str
    text: str | None
    size: int
    is_cut: bool
    raw_url: str
    messages: list[Message] | None = None
    tree: list[TreeRow] | None = None


@llm_page
def trace_page(request: PageRequest, project_slug: str) -> HttpResponseBase:
    """The trace `?id=`; with `span` that span is selected, with `from` the tree begins at that row."""
    trace = trace_or_404(request, project_slug)
    selected = request.GET.get("span") or None
    view = tree_view(trace, selected=selected, start=number_in(request.GET.get("from")))
    context = {
        **detail_context(trace, view, selected),
        "errors_naming": crosslinks.errors_of_trace(project_id=trace.project_id, trace_id=trace.trace_id),
        "judgements": judgements_of(trace.pk),
        "tone": status_tone(trace.status),
        "back_url": traces_url(project_slug),
        "session_url": session_url(project_slug, trace.session_id) if trace.session_id else None,
        "user_url": traces_url(project_slug, user_id=trace.user_id) if trace.user_id else None,
        "prompt_url": traces_url(project_slug, prompt_name=trace.prompt_name) if trace.prompt_name else None,
    }
    return render(request, "llm/trace.html", context)


@llm_page
def trace_span(request: PageRequest, project_slug: str) -> HttpResponseBase:
    """The details of the span `?span=`, or of the trace itself, alone; without htmx the page."""
    trace = trace_or_404(request, project_slug)
    selected = request.GET.get("span") or None
    if not wants_part(request):
        return redirect(trace_url(project_slug, trace.trace_id, selected or ""))
    view = tree_view(trace, selected=selected, start=0, size=1)
    return render(request, "llm/_span.html", detail_context(trace, view, selected))


@llm_page
def trace_rows(request: PageRequest, project_slug: str) -> HttpResponseBase:
    """The rows of the tree from `?from=` on, for who scrolls there; without htmx the page from there."""
    trace = trace_or_404(request, project_slug)
    start = number_in(request.GET.get("from")) or 0
    if not wants_part(request):
        return redirect(place_of("trace", project_slug, id=trace.trace_id, **{"from": str(start)}))
    return render(request, "llm/_spans.html", {"trace": trace, "view": tree_view(trace, selected=None, start=start)})


@llm_page
def span_text(request: PageRequest, project_slug: str) -> HttpResponseBase:
    """A whole text (`part`: input, output, metadata or error) of a span, or without `span` of the trace, as text."""
    trace = trace_or_404(request, project_slug)
    part = request.GET.get("part", "")
    text = whole_text(trace, request.GET.get("span", ""), part) if part in (*PARTS, "error") else None
    if text is None:
        msg = "no such text"
        raise Http404(msg)
    headers = {"Content-Disposition": f'inline; filename="{part}.txt"', "X-Content-Type-Options": "nosniff"}
    return HttpResponse(text.encode(errors="replace"), content_type="text/plain; charset=utf-8", headers=headers)


def detail_context(trace: Trace, view: Tree, selected: str | None) -> dict[str, Any]:
    """What is shown of the selected span, or of the trace itself when none is selected or it is not there."""
    span = span_in(trace, selected) if selected else None
    content = content_of(trace, span)
    texts = [shown(trace, span, name, getattr(content, name)) for name in PARTS]
    failed = next_error(view.errors, selected)
    return {
        "trace": trace,
        "view": view,
        "span": span,
        "is_gone": bool(selected) and span is None,
        "error": error_of(trace, span),
        "texts": texts,
        "not_kept": NOT_KEPT.get(policy_of(trace.project_id), "") if not any(text.text for text in texts) else "",
        "next_error_url": failed and trace_url(trace.project.slug, trace.trace_id, failed),
        "next_error_part": failed and place_of("trace-span", trace.project.slug, id=trace.trace_id, span=failed),
        "trace_part": place_of("trace-span", trace.project.slug, id=trace.trace_id),
        "took_ms": took(span.latency_ms, span.ended_ms) if span else None,
        "span_total": span.input_tokens + span.output_tokens if span else 0,
    }


def error_of(trace: Trace, span: Span | None) -> Shown | None:
    """The span's error message; it is always kept (contract 8.1.2)."""
    text: str | None = getattr(span, "error_text", None)
    if span is None or not text:
        return None
    return shown(trace, span, "error", Excerpt(text, getattr(span, "error_size", 0)), plain=True)


def shown(trace: Trace, span: Span | None, name: str, excerpt: Excerpt, *, plain: bool = False) -> Shown:
    """A text with what it can be laid out as. One that was not read whole, or is no JSON, is plain text."""
    text, messages, tree = excerpt.text, None, None
    if text and not plain and not excerpt.is_cut:
        value = value_of(text)
        if value is not None:
            messages = messages_of(value)
            tree = tree_of(text)
            text = indented(text)
    url = place_of("span-text", trace.project.slug, id=trace.trace_id, span=span.span_id if span else "", part=name)
    is_cut = excerpt.is_cut or len(text or "") > MAX_PLAIN
    return Shown(
        name, name.capitalize(), text and text[:MAX_PLAIN], excerpt.size, is_cut, url, messages=messages, tree=tree
    )
