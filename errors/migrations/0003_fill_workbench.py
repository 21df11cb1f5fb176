"""Fills what 0002 added from the rows that were there, and builds the full-text index beside SearchWords."""

import re
from typing import Any

from django.db import migrations

SQLITE = (
    # The words are ready: `ascii` splits at spaces and leaves every other letter alone. detail=none: no phrases asked.
    (
        "CREATE VIRTUAL TABLE errors_searchwords_fts USING fts5("
        "words, content='errors_searchwords', content_rowid='issue_id', tokenize='ascii', detail=none)"
    ),
    (
        "CREATE TRIGGER errors_searchwords_insert AFTER INSERT ON errors_searchwords BEGIN"
        " INSERT INTO errors_searchwords_fts (rowid, words) VALUES (new.issue_id, new.words); END"
    ),
    (
        "CREATE TRIGGER errors_searchwords_delete AFTER DELETE ON errors_searchwords BEGIN"
        " INSERT INTO errors_searchwords_fts (errors_searchwords_fts, rowid, words)"
        " VALUES ('delete', old.issue_id, old.words); END"
    ),
    (
        "CREATE TRIGGER errors_searchwords_update AFTER UPDATE ON errors_searchwords BEGIN"
        " INSERT INTO errors_searchwords_fts (errors_searchwords_fts, rowid, words)"
        " VALUES ('delete', old.issue_id, old.words);"
        " INSERT INTO errors_searchwords_fts (rowid, words) VALUES (new.issue_id, new.words); END"
    ),
)
POSTGRESQL = (
    (
        "ALTER TABLE errors_searchwords ADD COLUMN vector tsvector"
        " GENERATED ALWAYS AS (array_to_tsvector(string_to_array(words, ' '))) STORED"
    ),
    "CREATE INDEX errors_searchwords_vector ON errors_searchwords USING gin (vector)",
)
BACKFILL = (
    (
        "UPDATE errors_transition SET project_id ="
        " (SELECT project_id FROM errors_issue WHERE errors_issue.id = errors_transition.issue_id)"
    ),
    (
        "UPDATE errors_issue SET first_release = COALESCE((SELECT release FROM errors_aggregate"
        " WHERE errors_aggregate.issue_id = errors_issue.id ORDER BY first_seen_ms, id LIMIT 1), '')"
    ),
    (
        "INSERT INTO errors_release (project_id, name, first_seen_ms, last_seen_ms, total_count)"
        " SELECT project_id, release, min(first_seen_ms), max(last_seen_ms), sum(total_count) FROM errors_aggregate"
        " GROUP BY project_id, release"
    ),
    # As far back as raw events are kept: older hours were not counted by release.
    (
        "INSERT INTO errors_releasehourlycount (release_id, hour_ms, count)"
        " SELECT errors_release.id, received_ms - received_ms % 3600000, count(*) FROM errors_event"
        " JOIN errors_release ON errors_release.project_id = errors_event.project_id"
        " AND errors_release.name = errors_event.release"
        " GROUP BY errors_release.id, received_ms - received_ms % 3600000"
    ),
)


def build(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        for statement in SQLITE if schema_editor.connection.vendor == "sqlite" else POSTGRESQL:
            cursor.execute(statement)
        for statement in BACKFILL:
            cursor.execute(statement)
    index_words(apps.get_model("errors", "Issue"), apps.get_model("errors", "SearchWords"))


def index_words(issue_model: Any, search_words: Any) -> None:
    """Plain words of type, message and route; new issues get theirs from errors.search_words."""
    rows = issue_model.objects.values_list("pk", "error_type", "message", "route")
    batch = []
    for pk, *texts in rows.iterator(chunk_size=1000):
        words = dict.fromkeys(re.findall(r"[^\W_]{1,40}", " ".join(text or "" for text in texts).lower()))
        batch.append(search_words(issue_id=pk, words=" ".join(list(words)[:400])))
    search_words.objects.bulk_create(batch, batch_size=500)


def drop(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        if schema_editor.connection.vendor == "sqlite":
            for name in ("insert", "delete", "update"):
                cursor.execute(f"DROP TRIGGER errors_searchwords_{name}")
            cursor.execute("DROP TABLE errors_searchwords_fts")
        else:
            cursor.execute("ALTER TABLE errors_searchwords DROP COLUMN vector")


class Migration(migrations.Migration):
    dependencies = [("errors", "0002_workbench")]

    operations = [migrations.RunPython(build, drop)]
