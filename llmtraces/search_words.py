"""The words of a trace, as it is found by them, and the words of a search. Pure.

Upper and lower case, accents and compatibility forms make no difference. `user-auth_flow` is found by each of its
words, `loadUserById` as a whole and by its parts. Text that is written without spaces (Chinese, Japanese, Thai) goes in
as pairs of neighbouring characters, so that any piece of it is found; an emoji is a word. Every word of a search must
begin some word of the trace.

Kept of a trace are at most 5,000 different words of at most 40 characters, of each text the first
100,000 characters and of all together about a million: enough for a long conversation, and a bound for encoded files.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import filterfalse
from typing import NamedTuple

MAX_WORDS = 5_000
MAX_CHARACTERS = 40
MAX_TEXT = 100_000
MAX_TEXTS = 1_000_000
MAX_QUERY_WORDS = 12
MAX_QUERY = 2_000

# Without spaces between words: kana, Han, Thai, Lao, Burmese, Khmer.
UNSPACED = (
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff"
)
TONES = "\U0001f3fb-\U0001f3ff"  # of skin: a thumb is found whichever it has
EMOJI = "\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\U0001f000-\U0001f3fa\U0001f400-\U0001faff"
# Vowel signs and points are no letters to `\w`, but no end of a word either.
SIGNS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0963\u0966-\u0dff"
ACCENTS = re.compile("[\u0300-\u036f]+")
PIECE = re.compile(f"[{UNSPACED}]+|[{EMOJI}]|(?:(?![{UNSPACED}{EMOJI}{TONES}])(?:[^\\W_]|[{SIGNS}]))+")
# The first, quick cut: at what is no part of a word in ASCII and in common punctuation.
RUN = re.compile("[^\x00-/:-@\\[-`{-\xa9\u2000-\u206f\u3000-\u303f]+")
SPACES = {code: " " for code in range(128) if not chr(code).isalnum()}
# Where an identifier has a seam: fooBar, HTTPServer.
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
SEAM = re.compile(r"[a-z\d][A-Z]|[A-Z]{2}[a-z]")


class Place(NamedTuple):
    """A word of a text and where it stands there, from character `start` up to `end`."""

    start: int
    end: int
    word: str


def words_of(texts: Iterable[str | None]) -> list[str]:
    """The distinct words of some texts, as the index keeps them.

    Fast, for every trace that comes in goes through here: almost all runs of almost all texts are plain words.
    """
    text = joined(texts)
    runs = dict.fromkeys(text.translate(SPACES).split() if text.isascii() else RUN.findall(text))
    are_short = text.isascii() and len(max(runs, key=len, default="")) <= MAX_CHARACTERS
    others = list(filterfalse(str.islower if are_short else is_plain, runs))
    for run in others:
        del runs[run]
    for run in others:
        runs.update(dict.fromkeys(words_in(run)))
    return list(runs)[:MAX_WORDS]


def joined(texts: Iterable[str | None]) -> str:
    """As much of the texts as is looked at, the first ones first."""
    kept, room = [], MAX_TEXTS
    for text in texts:
        if room <= 0:
            break
        if text:
            kept.append(text[:MAX_TEXT])
            room -= len(kept[-1])
    return " ".join(kept)


def is_plain(run: str) -> bool:
    """Whether a run is one word as it stands."""
    return run.isascii() and run.islower() and len(run) <= MAX_CHARACTERS


def words_in(run: str) -> Iterator[str]:
    """The words of one run, parts after their identifier."""
    if run.isascii():
        yield run.lower()[:MAX_CHARACTERS]
        if SEAM.search(run):
            yield from (part.lower()[:MAX_CHARACTERS] for part in PART.findall(run))
        return
    for piece in PIECE.findall(run):
        yield from words_of_piece(piece)


def words_of_piece(piece: str) -> Iterator[str]:
    """The words of a match of PIECE."""
    if is_unspaced(piece):
        yield from pairs(folded(piece))
        return
    for part in PIECE.findall(folded(piece)):  # a compatibility form may hold several, as ½ does
        yield part[:MAX_CHARACTERS]


def is_unspaced(piece: str) -> bool:
    """Whether a match of PIECE is written without spaces; it is so as a whole or not at all."""
    return not piece[0].isascii() and UNSPACED_RUN.match(piece) is not None


UNSPACED_RUN = re.compile(f"[{UNSPACED}]")


def pairs(run: str) -> Iterator[str]:
    """Each two neighbouring characters, and the last alone: so each begins one of the words."""
    yield from (run[at : at + 2] for at in range(len(run)))


def folded(text: str) -> str:
    """The text without what makes no difference; letters of other scripts keep their signs."""
    if text.isascii():
        return text.lower()
    bare = ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    return unicodedata.normalize("NFKC", bare).casefold()


def query_words(text: str) -> list[str]:
    """What a search asks for: beginnings that words of the trace must have, at most 12 of them; none: nothing is found.

    None holds a quote, a backslash or a space, so that none means anything to either database's language.
    """
    found: dict[str, None] = {}
    for piece in PIECE.findall(text[:MAX_QUERY]):
        words = list(words_of_piece(piece))
        # The last character of several is the second of the pair before it.
        found.update(dict.fromkeys(words[:-1] if is_unspaced(piece) and len(words) > 1 else words))
    return list(found)[:MAX_QUERY_WORDS]


def placed(text: str) -> Iterator[Place]:
    """The words of a text with their places, parts of identifiers after these."""
    for match in PIECE.finditer(text):
        piece, at = match[0], match.start()
        if is_unspaced(piece):
            for index in range(len(piece)):
                yield Place(at + index, at + min(index + 2, len(piece)), folded(piece[index : index + 2]))
            continue
        yield Place(at, match.end(), folded(piece))
        if piece.isascii() and SEAM.search(piece):
            yield from (Place(at + part.start(), at + part.end(), part[0].lower()) for part in PART.finditer(piece))
