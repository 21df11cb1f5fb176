"""The full-text index of traces, and the words of those that are there."""

import re
from itertools import islice
from typing import Any

import django.db.models.deletion
from django.db import migrations, models

# The words are ready: `ascii` splits at spaces and leaves every other letter alone. No phrases are asked (detail), no
# ranks (columnsize). The words stay in the table: rows are deleted by them, and read by their number.
SQLITE = ("CREATE VIRTUAL TABLE llmtraces_tracewords USING fts5(words, tokenize='ascii', detail=none, columnsize=0)",)
POSTGRESQL = (
    (
        "CREATE TABLE llmtraces_tracewords (rowid bigint PRIMARY KEY"
        " REFERENCES llmtraces_trace (id) DEFERRABLE INITIALLY DEFERRED, words tsvector NOT NULL)"
    ),
    "CREATE INDEX llmtraces_tracewords_words ON llmtraces_tracewords USING gin (words)",
)
CHUNK = 500


def build(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        for statement in SQLITE if schema_editor.connection.vendor == "sqlite" else POSTGRESQL:
            cursor.execute(statement)


def drop(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("DROP TABLE llmtraces_tracewords")


def fill(apps: Any, schema_editor: Any) -> None:
    """Plain words of the traces that are there; those that come later get theirs from llmtraces.search_words."""
    trace, span = apps.get_model("llmtraces", "Trace"), apps.get_model("llmtraces", "Span")
    rows = trace.objects.order_by("pk").values_list(
        "pk", "trace_id", "name", "session_id", "user_id", "prompt_name", "text__input", "text__output"
    )
    is_sqlite = schema_editor.connection.vendor == "sqlite"
    value = "%s" if is_sqlite else "array_to_tsvector(string_to_array(ltrim(%s), ' '))"
    rows = rows.iterator(chunk_size=CHUNK)
    while batch := list(islice(rows, CHUNK)):
        texts = {pk: [text or "" for text in own] for pk, *own in batch}
        of_spans = span.objects.filter(trace__in=texts).values_list(
            "trace_id", "name", "error_message", "text__input", "text__output"
        )
        for pk, *own in of_spans.iterator(chunk_size=CHUNK):
            texts[pk] += [text or "" for text in own]
        with schema_editor.connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO llmtraces_tracewords (rowid, words) VALUES (%s, {value})",  # noqa: S608
                [(pk, " " + " ".join(plain_words(own))) for pk, own in texts.items()],
            )


def plain_words(texts: list[str]) -> list[str]:
    """At most 5,000 distinct words of at most 40 characters."""
    text = " ".join(text[:100_000] for text in texts)[:1_000_000].lower()
    return list(dict.fromkeys(re.findall(r"[^\W_]{1,40}", text)))[:5_000]


class Migration(migrations.Migration):
    dependencies = [("llmtraces", "0002_judgements_sessions_retrievals")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunPython(build, drop),
                migrations.RunPython(fill, migrations.RunPython.noop),
            ],
            state_operations=[
                migrations.CreateModel(
                    name="TraceWords",
                    fields=[
                        (
                            "trace",
                            models.OneToOneField(
                                db_column="rowid",
                                on_delete=django.db.models.deletion.CASCADE,
                                primary_key=True,
                                related_name="search_words",
                                serialize=False,
                                to="llmtraces.trace",
                            ),
                        ),
                        ("words", models.TextField()),
                    ],
                ),
            ],
        ),
    ]
