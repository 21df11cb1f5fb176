"""Which issues a text finds, and which happened in a place: each as SQL for the ids of issues that are shown.

An issue that is merged into another is found in the one that shows it (errors.queries.groups). The SQL is the same for
both databases, but for the full text itself (bloop_site.lib.db); what differs is written by hand for SQLite, which
guesses without statistics: what it reads first, and along which index.
"""

from collections.abc import Sequence
from typing import Any

from django.db.models.expressions import RawSQL

from bloop_site.lib.db import begins_with, with_words
from errors.models import Release
from errors.search_words import query_words

MANY = 20  # releases: to look each up in the index of aggregates costs more than to read the whole index once
# CROSS JOIN: the merged issues, which are few, are read first.
PLACES = "SELECT issue_id FROM errors_aggregate place WHERE "
MERGED_PLACES = (
    "SELECT merged.merged_into_id FROM errors_issue merged CROSS JOIN errors_aggregate place"
    " WHERE merged.merged_into_id IS NOT NULL AND place.issue_id = merged.id AND "
)
MERGED_WORDS = (
    "SELECT merged.merged_into_id FROM errors_issue merged CROSS JOIN errors_searchwords words"
    " WHERE merged.merged_into_id IS NOT NULL AND words.issue_id = merged.id AND "
)
NAMED = "SELECT COALESCE(merged_into_id, id) FROM errors_issue WHERE fingerprint = %s"
# Along the unique index, in the order of issues: so the set that is made of it grows at its end.
IN_ORDER = " GROUP BY issue_id"
Part = tuple[str, Sequence[Any]]


def ids_matching(text: str) -> RawSQL:
    """The issues a text finds, as a subquery of ids; some may stand twice in it, or be merged. Asks for releases.

    Found are those in which each word of the text begins some word of type, message, route, screen or stack; those of
    a release whose name begins with the text; and the one with this fingerprint.
    """
    words, name = query_words(text), text.strip()
    parts: list[Part] = [(NAMED, (name,)), *in_releases(name)]
    if words:
        parts.append(with_words(table="errors_searchwords", key="issue_id", words=words))
        # Read one by one: asking the index a second time would cost more.
        each = " AND ".join(["(' ' || words.words) LIKE %s"] * len(words))
        parts.append((MERGED_WORDS + each, [f"% {word}%" for word in words]))
    return either(parts)


def in_releases(beginning: str) -> list[Part]:
    """The issues of releases whose names begin so, in whatever case."""
    names = list(Release.objects.filter(name__istartswith=beginning).values_list("name", flat=True).distinct())
    if not names:
        return []
    if len(names) <= MANY:
        some = f"place.release IN ({', '.join(['%s'] * len(names))})"
        return [(PLACES + some, names), (MERGED_PLACES + some, names)]
    condition, pattern = begins_with("place.release", beginning)
    return [(PLACES + condition + IN_ORDER, [pattern]), (MERGED_PLACES + condition, [pattern])]


def ids_in(*, release: str, environment: str) -> RawSQL:
    """The issues that happened in a release, an environment, or that release in that environment, as `ids_matching`."""
    named = {column: name for column, name in (("release", release), ("environment", environment)) if name}
    condition = " AND ".join(f"place.{column} = %s" for column in named)
    own = condition if release else condition + IN_ORDER
    return either([(PLACES + own, tuple(named.values())), (MERGED_PLACES + condition, tuple(named.values()))])


def either(parts: Sequence[Part]) -> RawSQL:
    """What any of the queries selects. Every value in them is a parameter."""
    sql = " UNION ALL ".join(sql for sql, _ in parts)
    return RawSQL(sql, [value for _, values in parts for value in values])  # noqa: S611
