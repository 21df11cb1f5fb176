"""How a search found the traces of a page: computed for what is shown, never for what matches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import F, TextField
from django.db.models.functions import Substr

from bloop_site.lib.highlights import Piece
from llmtraces.highlights import snippet, words_hit
from llmtraces.models import Span, Trace, TraceText

LOOKED_AT = 65_536  # characters of a text
BUDGET = 1_000_000  # of all texts of spans for a page; where it ends, a row goes without
SPANS = 1_000
CHUNK = 50


@dataclass(frozen=True)
class Find:
    """Where a trace was found (`name`, `input`, `error of span`, …), and the text there with its hits."""

    place: str
    pieces: tuple[Piece, ...]


class Search:
    """The best place of one trace as its texts go by: that with most of the words, of several the first."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self.most = 0
        self.best: Find | None = None

    @property
    def is_done(self) -> bool:
        return self.most == len(self.words)

    def look(self, place: str, text: str | None) -> None:
        """Take the text if it holds more of the words than any before."""
        if not text or self.is_done:
            return
        count = len(words_hit(text, self.words))
        if count > self.most:
            self.most, self.best = count, Find(place, snippet(text, self.words))


def finds(traces: Sequence[Trace], words: Sequence[str]) -> dict[int, Find]:
    """How each was found, by row; at most three queries, however many traces and spans."""
    searches = {trace.pk: Search(words) for trace in traces}
    for trace in traces:
        searches[trace.pk].look("name", trace.name)
    look_in_texts(searches)
    look_in_spans(searches)
    for trace in traces:
        for place, name in (("prompt", "prompt_name"), ("session", "session_id"), ("user", "user_id")):
            searches[trace.pk].look(place, getattr(trace, name))
        searches[trace.pk].look("id", trace.trace_id)
    return {pk: search.best for pk, search in searches.items() if search.best}


def look_in_texts(searches: dict[int, Search]) -> None:
    """The traces' own input and output."""
    left = [pk for pk, search in searches.items() if not search.is_done]
    rows = TraceText.objects.filter(pk__in=left).values_list(
        "pk", beginning("input"), beginning("output"), beginning("put_output")
    )
    for pk, own, output, put_output in rows.iterator(chunk_size=CHUNK):
        searches[pk].look("input", own)
        searches[pk].look("output", output if put_output is None else put_output)


def look_in_spans(searches: dict[int, Search]) -> None:
    """Errors, names, inputs and outputs of the first spans, as long as the budget lasts."""
    left = [pk for pk, search in searches.items() if not search.is_done]
    for pk, each in texts_of_spans(left):
        for place, text in each:
            searches[pk].look(place, text)


def texts_of_spans(trace_ids: Sequence[int]) -> Iterator[tuple[int, list[tuple[str, str | None]]]]:
    """The texts of each span with the words for their places."""
    looked = 0
    rows = (
        Span.objects.filter(trace__in=trace_ids)
        .order_by("trace_id", "pk")
        .values_list("trace_id", "name", "error_message", beginning("text__input"), beginning("text__output"))
    )
    for pk, name, error, own, output in rows[:SPANS].iterator(chunk_size=CHUNK):
        if looked > BUDGET:
            return
        looked += sum(len(text or "") for text in (own, output, error))
        said = f"span {name[:80]}" if name else "a span"
        yield (
            pk,
            [("span", name), (f"error of {said}", error), (f"input of {said}", own), (f"output of {said}", output)],
        )


def beginning(column: str) -> Substr:
    """As much of a text as is looked at."""
    return Substr(F(column), 1, LOOKED_AT, output_field=TextField())
