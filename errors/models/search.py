"""The words by which an issue is found (errors.search_words, errors.queries.search)."""

from django.db import models

from errors.models.issues import Issue


class SearchWords(models.Model):
    """An issue's words, separated by spaces: of its first event's type, message, route, screen and stack.

    The full-text index beside it follows by itself: an FTS5 table with triggers on SQLite, a generated tsvector with a
    GIN index on PostgreSQL (migration 0002).
    """

    issue = models.OneToOneField(Issue, primary_key=True, on_delete=models.CASCADE, related_name="search_words")
    words = models.TextField()

    def __str__(self) -> str:
        return f"words of issue {self.issue_id}"
