"""Where in a text the words of a search stand. Pure; the words are those of errors.search_words."""

from collections.abc import Iterator, Sequence

from bloop_site.lib.highlights import Piece, Span, apart, excerpt_of, in_pieces
from errors.search_words import MAX_CHARACTERS, PART, RUN, UNSPACED, normal, pieces

__all__ = ["Piece", "excerpt", "marked"]


def marked(text: str, words: Sequence[str]) -> tuple[Piece, ...]:
    """The text (in NFC) in pieces, the beginnings of its words that `words` ask for as hits of their own.

    words: as `search_words.query_words` gives them.
    """
    text = normal(text)
    return in_pieces(text, spans(text, words))


def excerpt(text: str, words: Sequence[str], *, length: int) -> tuple[Piece, ...]:
    """`marked`, at most `length` characters from the beginning on, or from shortly before a hit that is far in."""
    return excerpt_of(normal(text), lambda part: spans(part, words), length=length)


def spans(text: str, words: Sequence[str]) -> list[Span]:
    """From where to where, in order and apart from each other."""
    found: list[Span] = []
    for start, piece in sorted(placed(text)):
        wanted = max((len(word) for word in words if piece.lower().startswith(word)), default=0)
        if wanted:
            found.append((start, start + min(wanted, len(piece))))
    return apart(found)


def placed(text: str) -> Iterator[tuple[int, str]]:
    """The words of a text with the places where they start, as `search_words.words_in` has them."""
    for match in RUN.finditer(text):
        run, at = match[0], match.start()
        if UNSPACED.search(run):
            for piece in pieces(run):
                yield at, piece
                at += len(piece)
        elif len(run) <= MAX_CHARACTERS:
            yield at, run
            yield from ((at + part.start(), part[0]) for part in PART.finditer(run) if run.isascii())
