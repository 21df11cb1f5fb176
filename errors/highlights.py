"""Where in a text the words of a search stand. Pure; the words are those of errors.search_words."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from errors.search_words import MAX_CHARACTERS, PART, RUN, UNSPACED, normal, pieces

FAR = 60  # characters: a first hit later than this is brought to the front
BEFORE = 24


class Piece(NamedTuple):
    """A piece of a text, and whether it is what was searched for."""

    text: str
    hit: bool


def marked(text: str, words: Sequence[str]) -> tuple[Piece, ...]:
    """The text (in NFC) in pieces, the beginnings of its words that `words` ask for as hits of their own.

    words: as `search_words.query_words` gives them.
    """
    text = normal(text)
    found, at = [], 0
    for start, end in spans(text, words):
        found += [Piece(text[at:start], hit=False), Piece(text[start:end], hit=True)]
        at = end
    return tuple(piece for piece in (*found, Piece(text[at:], hit=False)) if piece.text)


def excerpt(text: str, words: Sequence[str], *, length: int) -> tuple[Piece, ...]:
    """`marked`, at most `length` characters from the beginning on, or from shortly before a hit that is far in."""
    text = normal(text)
    first = next(iter(spans(text, words)), None)
    if first is None or first[0] <= FAR:
        return marked(cut(text, length), words)
    lead = text[first[0] - BEFORE : first[0]]
    start = first[0] - len(lead.partition(" ")[2] or lead)  # at the beginning of a word, if there is one
    return (Piece("… ", hit=False), *marked(cut(text[start:], length), words))


def cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def spans(text: str, words: Sequence[str]) -> list[tuple[int, int]]:
    """From where to where, in order and apart from each other."""
    found: list[tuple[int, int]] = []
    for start, piece in sorted(placed(text)):
        wanted = max((len(word) for word in words if piece.lower().startswith(word)), default=0)
        end = start + min(wanted, len(piece))
        if not wanted:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


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
