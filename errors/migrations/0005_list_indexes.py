"""Lets the list be narrowed from its indexes alone, and short beginnings of words be found as fast as long ones."""

from typing import Any

import django.db.models.functions.text
from django.db import migrations, models

FULL_TEXT = "CREATE VIRTUAL TABLE errors_searchwords_fts USING fts5({})"
AS_BEFORE = "words, content='errors_searchwords', content_rowid='issue_id', tokenize='ascii', detail=none"
# Without `prefix`, FTS5 merges the issues of every word that begins so: of 100,000 issues for one typed letter.
WITH_PREFIXES = f"{AS_BEFORE}, prefix='1 2 3 4 5'"


def index_words(schema_editor: Any, options: str) -> None:
    """Build SQLite's full-text index anew from the words; its triggers stay."""
    if schema_editor.connection.vendor == "sqlite":
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("DROP TABLE errors_searchwords_fts")
            cursor.execute(FULL_TEXT.format(options))
            cursor.execute("INSERT INTO errors_searchwords_fts (errors_searchwords_fts) VALUES ('rebuild')")


def index_prefixes(apps: Any, schema_editor: Any) -> None:
    index_words(schema_editor, WITH_PREFIXES)


def index_as_before(apps: Any, schema_editor: Any) -> None:
    index_words(schema_editor, AS_BEFORE)


class Migration(migrations.Migration):
    dependencies = [
        ("errors", "0004_transition_has_project"),
        ("projects", "0003_retention"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="issue",
            name="issue_by_status",
        ),
        migrations.RemoveIndex(
            model_name="issue",
            name="issue_by_last_seen",
        ),
        migrations.RemoveIndex(
            model_name="issue",
            name="issue_by_first_seen",
        ),
        migrations.RemoveIndex(
            model_name="issue",
            name="issue_by_count",
        ),
        migrations.RemoveIndex(
            model_name="issue",
            name="issue_all_by_status",
        ),
        migrations.RemoveIndex(
            model_name="issue",
            name="issue_all_by_last_seen",
        ),
        migrations.RemoveIndex(
            model_name="issue",
            name="issue_all_by_first_seen",
        ),
        migrations.RemoveIndex(
            model_name="issue",
            name="issue_all_by_count",
        ),
        migrations.AddIndex(
            model_name="aggregate",
            index=models.Index(fields=["release", "issue", "environment"], name="aggregate_place"),
        ),
        migrations.AddIndex(
            model_name="issue",
            index=models.Index(
                models.F("project"),
                models.F("status"),
                models.OrderBy(models.F("last_seen_ms"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                models.F("source"),
                models.F("merged_into"),
                condition=models.Q(("merged_into__isnull", True)),
                name="issue_by_status",
            ),
        ),
        migrations.AddIndex(
            model_name="issue",
            index=models.Index(
                models.F("project"),
                models.OrderBy(models.F("last_seen_ms"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                models.F("status"),
                models.F("source"),
                models.F("merged_into"),
                condition=models.Q(("merged_into__isnull", True)),
                name="issue_by_last_seen",
            ),
        ),
        migrations.AddIndex(
            model_name="issue",
            index=models.Index(
                models.F("project"),
                models.OrderBy(models.F("first_seen_ms"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                models.F("status"),
                models.F("source"),
                models.F("merged_into"),
                condition=models.Q(("merged_into__isnull", True)),
                name="issue_by_first_seen",
            ),
        ),
        migrations.AddIndex(
            model_name="issue",
            index=models.Index(
                models.F("project"),
                models.OrderBy(models.F("total_count"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                models.F("status"),
                models.F("source"),
                models.F("merged_into"),
                condition=models.Q(("merged_into__isnull", True)),
                name="issue_by_count",
            ),
        ),
        migrations.AddIndex(
            model_name="issue",
            index=models.Index(
                models.F("status"),
                models.OrderBy(models.F("last_seen_ms"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                models.F("source"),
                models.F("project"),
                models.F("merged_into"),
                condition=models.Q(("merged_into__isnull", True)),
                name="issue_all_by_status",
            ),
        ),
        migrations.AddIndex(
            model_name="issue",
            index=models.Index(
                models.OrderBy(models.F("last_seen_ms"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                models.F("status"),
                models.F("source"),
                models.F("project"),
                models.F("merged_into"),
                condition=models.Q(("merged_into__isnull", True)),
                name="issue_all_by_last_seen",
            ),
        ),
        migrations.AddIndex(
            model_name="issue",
            index=models.Index(
                models.OrderBy(models.F("first_seen_ms"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                models.F("status"),
                models.F("source"),
                models.F("project"),
                models.F("merged_into"),
                condition=models.Q(("merged_into__isnull", True)),
                name="issue_all_by_first_seen",
            ),
        ),
        migrations.AddIndex(
            model_name="issue",
            index=models.Index(
                models.OrderBy(models.F("total_count"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                models.F("status"),
                models.F("source"),
                models.F("project"),
                models.F("merged_into"),
                condition=models.Q(("merged_into__isnull", True)),
                name="issue_all_by_count",
            ),
        ),
        migrations.AddIndex(
            model_name="issue",
            index=models.Index(
                django.db.models.functions.text.Substr("route", 1, 64),
                condition=models.Q(("merged_into__isnull", True)),
                name="issue_by_route",
            ),
        ),
        migrations.RunPython(index_prefixes, index_as_before),
    ]
