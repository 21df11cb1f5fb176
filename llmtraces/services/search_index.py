"""Keeps the words of traces, in the transaction that folds them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain

from django.db import connection
from django.db.models import TextField
from django.db.models.functions import Substr

from bloop_site.lib.db import insert_rows
from llmtraces.incoming import Incoming
from llmtraces.models import Span, Trace, TraceText
from llmtraces.queries.facts import StoredTrace
from llmtraces.search_words import MAX_TEXT, MAX_WORDS, words_of

FIELDS = ("trace_id", "name", "session_id", "user_id", "prompt_name")
Texts = list[str | None]


@dataclass(frozen=True)
class Folded:
    """A trace that came in: its row as it was, if it was there, and as it is now, the spans that were, what came."""

    before: StoredTrace | None
    after: StoredTrace
    spans: Collection[str]
    incoming: Incoming

    @property
    def is_silent(self) -> bool:
        """Nothing came that could change a word."""
        came = self.incoming
        return not came.trace and not came.spans and (came.update is None or came.update.output is None)

    @property
    def is_new(self) -> bool:
        """All there is of it came with this."""
        return self.before is None and self.incoming.trace is not None

    @property
    def only_adds(self) -> bool:
        """Whether no word can have been taken away: its names stay and no span or text of it is replaced."""
        own, update = self.incoming.trace, self.incoming.update
        if (own and (own.input is not None or own.output is not None)) or (update and update.output is not None):
            return False
        same = all(getattr(self.before, name) in (None, "", getattr(self.after, name)) for name in FIELDS)
        return same and not any(span in self.spans for span in self.incoming.spans)


def index_words(folded: Sequence[Folded]) -> None:
    """Bring the index to what the traces hold after the fold; must run in its transaction.

    A trace that is new has the words that came. One that only grew has these besides those it had. Of any other all
    texts are read again, for a replaced text takes its words away.
    """
    words: dict[int, list[str]] = {}
    grown, again = [], []
    for each in folded:
        if each.is_silent:
            continue
        if each.is_new:
            words[each.after.id] = words_that_came(each)
        elif each.only_adds:
            grown.append(each)
        else:
            again.append(each.after.id)
    there = stored_words([each.after.id for each in grown])
    for each in grown:
        had = there.get(each.after.id, [])
        if len(had) < MAX_WORDS:
            words[each.after.id] = words_that_came(each, had)
    write_words({**words, **words_as_stored(again)})


def words_that_came(folded: Folded, had: Sequence[str] = ()) -> list[str]:
    """The words of a batch's part of a trace, after those it had."""
    incoming = folded.incoming
    own, update, spans = incoming.trace, incoming.update, incoming.spans.values()
    output = update.output if update else None
    if own and output is None:
        output = own.output
    names = [*names_of(folded.after), *chain.from_iterable((span.name, span.error_message) for span in spans)]
    texts = [own.input if own else None, output, *chain.from_iterable((span.input, span.output) for span in spans)]
    return words_of([*names, *texts], had)


def names_of(row: StoredTrace | Trace) -> Texts:
    """What of a trace's own row it is found by."""
    return [getattr(row, name) for name in FIELDS]


def stored_words(trace_ids: Sequence[int]) -> dict[int, list[str]]:
    """The words that the index has for these traces."""
    if not trace_ids:
        return {}
    column = "words" if connection.vendor == "sqlite" else "array_to_string(tsvector_to_array(words), ' ')"
    marks = ", ".join(["%s"] * len(trace_ids))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT rowid, {column} FROM llmtraces_tracewords WHERE rowid IN ({marks})", trace_ids)  # noqa: S608
        return {pk: words.split() for pk, words in cursor.fetchall()}


def words_as_stored(trace_ids: Sequence[int]) -> dict[int, list[str]]:
    """The words of these traces by their rows and all their texts, of each as much as the index looks at."""
    if not trace_ids:
        return {}
    names: defaultdict[int, Texts] = defaultdict(list)
    texts: defaultdict[int, Texts] = defaultdict(list)
    for trace in Trace.objects.filter(pk__in=trace_ids).only(*FIELDS):
        names[trace.pk] = names_of(trace)
    own = TraceText.objects.filter(pk__in=trace_ids).values_list(
        "pk", *map(beginning, ("input", "output", "put_output"))
    )
    for pk, text, output, put_output in own:
        texts[pk] += [text, output if put_output is None else put_output]
    spans = Span.objects.filter(trace__in=trace_ids).order_by("trace_id", "pk")
    rows = spans.values_list("trace_id", "name", "error_message", beginning("text__input"), beginning("text__output"))
    for pk, name, error, *kept in rows:
        names[pk] += [name, error]
        texts[pk] += kept
    return {pk: words_of([*names[pk], *texts[pk]]) for pk in trace_ids}


def beginning(column: str) -> Substr:
    """As much of a text as the index looks at."""
    return Substr(column, 1, MAX_TEXT, output_field=TextField())


def write_words(words: dict[int, list[str]]) -> None:
    """Put these words in the place of whatever the traces had."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.executemany(
                "INSERT OR REPLACE INTO llmtraces_tracewords (rowid, words) VALUES (%s, %s)",
                [(pk, f" {' '.join(each)}") for pk, each in words.items()],
            )
            return
        insert_rows(
            cursor,
            "INSERT INTO llmtraces_tracewords (rowid, words)",
            list(words.items()),
            then="ON CONFLICT (rowid) DO UPDATE SET words = excluded.words",
            each="(%s, array_to_tsvector(%s::text[]))",
        )
