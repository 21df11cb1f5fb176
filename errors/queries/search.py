"""Which issues a text finds, and which happened in a place: each as a condition on the ids of issues that are shown.

An issue that is merged into another is found in the one that shows it (errors.queries.groups). The SQL is the same for
both databases, but for the full text itself (bloop_site.lib.db); what differs is written by hand for SQLite, which
guesses without statistics: what it reads first, and along which index.
"""

from django.db.models import F

from bloop_site.lib.db import Found, IdAmong, begins_with, in_order_of, with_words
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
OF_ONE = "EXISTS (SELECT 1 FROM errors_aggregate place WHERE place.issue_id = {id} AND "
WORDS_OF_ONE = "EXISTS (SELECT 1 FROM errors_searchwords words WHERE words.issue_id = {id} AND "


def found_by(text: str) -> IdAmong:
    """Whether a text finds an issue, as a condition for `filter`. Asks for the releases it may mean.

    Found are those in which each word of the text begins some word of type, message, route, screen or stack; those of
    a release whose name begins with the text; and the one with this fingerprint.
    """
    words, name = query_words(text), text.strip()
    parts = [Found(NAMED, (name,)), *in_releases(name)]
    if words:
        # Of few issues, asking the index a second time would cost more.
        each = " AND ".join(["(' ' || words.words) LIKE %s"] * len(words))
        patterns = tuple(f"% {word}%" for word in words)
        ids, values = with_words(table="errors_searchwords", key="issue_id", words=words)
        parts += [Found(ids, values, f"{WORDS_OF_ONE}{each})", patterns), Found(MERGED_WORDS + each, patterns)]
    return IdAmong(F("pk"), parts)


def in_releases(beginning: str) -> list[Found]:
    """The issues of releases whose names begin so, in whatever case."""
    names = tuple(Release.objects.filter(name__istartswith=beginning).values_list("name", flat=True).distinct())
    if not names:
        return []
    if len(names) <= MANY:
        some = f"place.release IN ({', '.join(['%s'] * len(names))})"
        return [Found(PLACES + some, names, f"{OF_ONE}{some})", names), Found(MERGED_PLACES + some, names)]
    condition, pattern = begins_with("place.release", beginning)
    return [
        Found(PLACES + condition + in_order_of("issue_id"), (pattern,), f"{OF_ONE}{condition})", (pattern,)),
        Found(MERGED_PLACES + condition, (pattern,)),
    ]


def happened_in(*, release: str, environment: str) -> IdAmong:
    """Whether an issue happened in a release, an environment, or that release in that environment; as `found_by`."""
    named = {column: name for column, name in (("release", release), ("environment", environment)) if name}
    condition = " AND ".join(f"place.{column} = %s" for column in named)
    own, values = condition if release else condition + in_order_of("issue_id"), tuple(named.values())
    return IdAmong(
        F("pk"),
        [Found(PLACES + own, values, f"{OF_ONE}{condition})", values), Found(MERGED_PLACES + condition, values)],
    )
