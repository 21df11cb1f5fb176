"""How a search found the rows of a page: computed for what is shown, never for what matches."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from errors.highlights import Piece, excerpt, marked
from errors.models import SearchWords
from errors.queries.issues import Elsewhere, Found, IssueRow
from errors.search_words import query_words, words_of

MESSAGE = 300
ROUTE = 200
MAX_WORDS = 3


def with_finds(rows: Sequence[IssueRow], text: str) -> list[IssueRow]:
    """The rows, each with how `text` found it; one query."""
    words = query_words(text)
    kept = SearchWords.objects.filter(pk__in=[row.id for row in rows]).values_list("pk", "words")
    known = {pk: joined.split(" ") for pk, joined in kept}
    return [replace(row, found=found_by(row, text.strip(), words, known.get(row.id, []))) for row in rows]


def found_by(row: IssueRow, text: str, words: Sequence[str], known: Sequence[str]) -> Found:
    """How a row was found. known: the words that stand in the index for it."""
    shown = words_of([row.error_type, row.message, row.route]).split(" ")
    missing = [word for word in words if not begins_any(word, shown)]
    return Found(
        error_type=marked(row.error_type, words),
        message=excerpt(row.message, words, length=MESSAGE),
        route=excerpt(row.route or "", words, length=ROUTE),
        elsewhere=tuple(elsewhere(row, text, missing, known)) if missing or not words else (),
    )


def elsewhere(row: IssueRow, text: str, missing: Sequence[str], known: Sequence[str]) -> Iterator[Elsewhere]:
    """Where the words were found that the row does not show."""
    yield from (Elsewhere("release", beginning(name, text)) for name in row.releases if begins(name, text))
    if row.fingerprint == text:
        yield Elsewhere("fingerprint", (Piece(text, hit=True),))
        return
    there = [word for word in missing if begins_any(word, known)]
    screen = [word for word in there if begins_any(word, words_of([row.screen]).split(" "))]
    stack = [word for word in there if word not in screen]
    if screen:
        yield Elsewhere("screen", marked(row.screen or "", screen))
    if stack:
        yield Elsewhere("stack", listed([word for word in known if word.startswith(tuple(stack))], stack))
    if missing and not there and not begins_any(text.lower(), [name.lower() for name in row.releases]):
        yield Elsewhere("an issue merged into it", listed(missing, missing))


def listed(found: Sequence[str], words: Sequence[str]) -> tuple[Piece, ...]:
    """The first few words found, what was asked for marked in them."""
    more = ", …" if len(found) > MAX_WORDS else ""
    return marked(", ".join(found[:MAX_WORDS]) + more, words)


def begins(name: str, beginning: str) -> bool:
    """Whether a name begins so, in whatever case. Nothing begins with nothing."""
    return bool(beginning) and name.lower().startswith(beginning.lower())


def beginning(name: str, text: str) -> tuple[Piece, ...]:
    """A name whose beginning was asked for."""
    return tuple(
        piece for piece in (Piece(name[: len(text)], hit=True), Piece(name[len(text) :], hit=False)) if piece[0]
    )


def begins_any(word: str, words: Sequence[str]) -> bool:
    """Whether some of the words begins so."""
    return any(each.startswith(word) for each in words)
