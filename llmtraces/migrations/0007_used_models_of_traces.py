"""Which models each trace used, and two indexes that tell all a list of traces is narrowed and sorted by."""

from typing import Any

from django.db import migrations, models
from django.db.models import F, Q

ASKED = tuple(map(F, ("is_known", "status", "error_count", "cost_micros", "latency_ms", "total_tokens", "used_models")))
NEWEST = (F("started_ms").desc(), F("id").desc())
# As the fold writes it: {RS}model{US}provider of each pair, and {RS} at the end; null when it is too long or unclear.
FILL = """
    UPDATE llmtraces_trace SET used_models = (
        SELECT CASE WHEN COUNT(*) = 0 THEN '' WHEN MAX(odd) OR LENGTH({joined}) >= 400 THEN NULL
            ELSE {joined} || {char}(30) END
        FROM (
            SELECT model, provider, {char}(30) || model || {char}(31) || provider AS pair,
                {has}(model || provider, {char}(30)) > 0 OR {has}(model || provider, {char}(31)) > 0 AS odd
            FROM llmtraces_span WHERE trace_id = llmtraces_trace.id AND (model <> '' OR provider <> '')
            GROUP BY model, provider ORDER BY model, provider
        ) pairs
    )
"""
SQLITE = FILL.format(joined="GROUP_CONCAT(pair, '')", char="CHAR", has="INSTR")
POSTGRESQL = FILL.replace("MAX(odd)", "BOOL_OR(odd)").format(
    joined="""STRING_AGG(pair, '' ORDER BY model COLLATE "C", provider COLLATE "C")""", char="CHR", has="STRPOS"
)


def fill(apps: Any, schema_editor: Any) -> None:
    """One pass over the spans, by the index of those of a trace."""
    schema_editor.execute(SQLITE if schema_editor.connection.vendor == "sqlite" else POSTGRESQL)


class Migration(migrations.Migration):
    dependencies = [("llmtraces", "0006_indexes_of_trace_lists")]

    operations = [
        *(
            migrations.RemoveIndex(model_name="trace", name=f"trace_by_{name}")
            for name in ("start", "age", "status", "error")
        ),
        migrations.AddField(
            model_name="trace", name="used_models", field=models.TextField(default="", db_default="", null=True)
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="trace", index=models.Index(F("project"), *NEWEST, *ASKED, name="trace_by_start")
        ),
        migrations.AddIndex(model_name="trace", index=models.Index(*NEWEST, F("project"), *ASKED, name="trace_by_age")),
        migrations.AddIndex(
            model_name="trace",
            index=models.Index(
                fields=["used_models"], condition=Q(used_models__isnull=True), name="trace_of_many_models"
            ),
        ),
    ]
