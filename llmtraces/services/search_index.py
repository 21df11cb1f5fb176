"""Keeps the words of traces, in the transaction that folds them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import TextField
from django.db.models.functions import Substr

from bloop_site.lib.db import insert_rows
from llmtraces.incoming import NAMES, Incoming
from llmtraces.models import Span, Trace, TraceText
from llmtraces.queries.facts import StoredTrace
from llmtraces.search_words import MAX_TEXT, MAX_WORDS, words_of

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
        same = all(getattr(self.before, name) in (None, "", getattr(self.after, name)) for name in NAMES)
        return same and not any(span in self.spans for span in self.incoming.spans)


def index_words(folded: Sequence[Folded]) -> None:
    """Bring the index to what the traces hold after the fold; must run in its transaction.

    A trace that is new has the words that came. One that only grew has these besides those it had. Of any other all
    texts are read again, for a replaced text takes its words away.
    """
    words: dict[int, str] = {}
    grown, again = [], []
    for each in folded:
        if each.is_silent:
            continue
        if each.is_new:
            words[each.after.id] = each.incoming.words
        elif each.only_adds:
            grown.append(each)
        else:
            again.append(each.after.id)
    there = stored_words([each.after.id for each in grown])
    for each in grown:
        had = there.get(each.after.id, "").split()
        if len(had) < MAX_WORDS:
            new = each.incoming.words.split()
            words[each.after.id] = " ".join(list(dict.fromkeys([*had, *new]))[:MAX_WORDS])
    write_words({**words, **words_as_stored(again)})


def stored_words(trace_ids: Sequence[int]) -> dict[int, str]:
    """The words that the index has for these traces."""
    if not trace_ids:
        return {}
    column = "words" if connection.vendor == "sqlite" else "array_to_string(tsvector_to_array(words), ' ')"
    marks = ", ".join(["%s"] * len(trace_ids))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT rowid, {column} FROM llmtraces_tracewords WHERE rowid IN ({marks})", trace_ids)  # noqa: S608
        return dict(cursor.fetchall())


def words_as_stored(trace_ids: Sequence[int]) -> dict[int, str]:
    """The words of these traces by their rows and all their texts, of each as much as the index looks at."""
    if not trace_ids:
        return {}
    names: defaultdict[int, Texts] = defaultdict(list)
    texts: defaultdict[int, Texts] = defaultdict(list)
    for trace in Trace.objects.filter(pk__in=trace_ids).only(*NAMES):
        names[trace.pk] = [getattr(trace, name) for name in NAMES]
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
    return {pk: " ".join(words_of([*names[pk], *texts[pk]])) for pk in trace_ids}


def beginning(column: str) -> Substr:
    """As much of a text as the index looks at."""
    return Substr(column, 1, MAX_TEXT, output_field=TextField())


def write_words(words: Mapping[int, str]) -> None:
    """Put these words, with spaces between, in the place of whatever the traces had."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.executemany(
                "INSERT OR REPLACE INTO llmtraces_tracewords (rowid, words) VALUES (%s, %s)",
                [(pk, f" {each}") for pk, each in words.items()],
            )
            return
        insert_rows(
            cursor,
            "INSERT INTO llmtraces_tracewords (rowid, words)",
            list(words.items()),
            then="ON CONFLICT (rowid) DO UPDATE SET words = excluded.words",
            each="(%s, array_to_tsvector(string_to_array(%s, ' ')))",
        )
