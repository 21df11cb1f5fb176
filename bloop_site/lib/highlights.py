"""A text in pieces, some of them what was searched for. Pure; what a word is, and where, its caller knows."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

FAR = 60  # characters: a first hit later than this is brought to the front
BEFORE = 24
Span = tuple[int, int]


class Piece(NamedTuple):
    """A piece of a text, and whether it is what was searched for."""

    text: str
    hit: bool


def in_pieces(text: str, spans: Iterable[Span]) -> tuple[Piece, ...]:
    """The text in pieces, each span of it as a hit of its own."""
    found, at = [], 0
    for start, end in spans:
        found += [Piece(text[at:start], hit=False), Piece(text[start:end], hit=True)]
        at = end
    return tuple(piece for piece in (*found, Piece(text[at:], hit=False)) if piece.text)


def excerpt_of(text: str, find: Callable[[str], Sequence[Span]], *, length: int) -> tuple[Piece, ...]:
    """At most `length` characters in pieces, from the beginning on or from shortly before a hit that is far in."""
    first = next(iter(find(text)), None)
    if first is None or first[0] <= FAR:
        short = cut(text, length)
        return in_pieces(short, find(short))
    lead = text[first[0] - BEFORE : first[0]]
    start = first[0] - len(lead.partition(" ")[2] or lead)  # at the beginning of a word, if there is one
    short = cut(text[start : start + length + 1], length)
    return (Piece("… ", hit=False), *in_pieces(short, find(short)))


def cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def apart(spans: Iterable[Span]) -> list[Span]:
    """Spans in order of their start, those that touch as one."""
    found: list[Span] = []
    for start, end in spans:
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
