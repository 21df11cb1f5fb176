"""The words by which a trace is found (llmtraces.search_words, llmtraces.queries.search)."""

from django.db import models

from llmtraces.models.traces import Trace


class TraceWords(models.Model):
    """A trace's distinct words; a full-text index itself, made by hand in migration 0003.

    On SQLite an FTS5 table that holds the words, with a space before each; on PostgreSQL `words` is a tsvector under a
    GIN index. The column of the key has the name that FTS5 gives it.
    """

    trace = models.OneToOneField(
        Trace, primary_key=True, on_delete=models.CASCADE, related_name="search_words", db_column="rowid"
    )
    words = models.TextField()

    def __str__(self) -> str:
        return f"words of trace {self.trace_id}"
