"""Where in a trace's texts the words of a search stand. Pure; the words are those of llmtraces.search_words."""

from collections.abc import Sequence

from bloop_site.lib.highlights import Piece, Span, apart, excerpt_of
from llmtraces.search_words import folded, placed

LENGTH = 160
SPACE = dict.fromkeys((9, 10, 13), " ")


def words_hit(text: str, words: Sequence[str]) -> set[str]:
    """Which of the words begin some word of the text."""
    plain = folded(text)
    likely = [word for word in words if word in plain]  # most texts end here
    if not likely:
        return set()
    there = [place.word for place in placed(text)]
    return {word for word in likely if any(each.startswith(word) for each in there)}


def snippet(text: str, words: Sequence[str]) -> tuple[Piece, ...]:
    """About 160 characters of the text around the first hit, on one line, hits as pieces of their own."""
    return excerpt_of(text.translate(SPACE), lambda part: hits(part, words), length=LENGTH)


def hits(text: str, words: Sequence[str]) -> list[Span]:
    """From where to where the beginnings that `words` ask for stand; a word that only its folded form fits, whole."""
    found: list[Span] = []
    for start, end, word in sorted(placed(text)):
        wanted = max((len(each) for each in words if word.startswith(each)), default=0)
        if wanted:
            found.append((start, start + wanted if len(word) == end - start else end))
    return apart(found)
