"""The words of a text, as issues are found by them: whole identifiers and their parts. Pure.

`loadUserById` is found as "loaduserbyid", "load", "user", "by" and "id"; text without spaces between words (Chinese,
Japanese) by its characters. Every word of a query must begin some word of the issue.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

MAX_WORDS = 400
MAX_CHARACTERS = 40
MAX_QUERY_WORDS = 12
RUN = re.compile(r"[^\W_]+")
# Where an identifier has a seam: fooBar, HTTPServer, v2, 3d.
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


def words_of(texts: Iterable[str | None]) -> str:
    """The distinct words of some texts, in lower case, joined by spaces: at most 400, the first texts' first.

    Longer words than 40 characters are left out: nobody types them, and encoded data is full of them.
    """
    found: dict[str, None] = {}
    for text in texts:
        for word in words_in(text or ""):
            found[word] = None
            if len(found) == MAX_WORDS:
                return " ".join(found)
    return " ".join(found)


def words_in(text: str) -> Iterator[str]:
    """The words of one text in their order, parts after their identifier."""
    for match in RUN.finditer(normal(text)):
        run = match[0]
        if UNSPACED.search(run):
            yield from (piece.lower() for piece in pieces(run) if len(piece) <= MAX_CHARACTERS)
            continue
        if len(run) > MAX_CHARACTERS:
            continue
        whole = run.lower()
        yield whole
        parts = PART.findall(run) if run.isascii() else []
        yield from (part.lower() for part in parts if len(part) < len(run))


def normal(text: str) -> str:
    """The text in the form its words are taken from: a letter and its accents are one character."""
    return unicodedata.normalize("NFC", text)


def pieces(run: str) -> list[str]:
    """A run that holds unspaced script: each such character alone, what stands between them whole."""
    return [piece for piece in re.split(f"({UNSPACED.pattern})", run) if piece]


def query_words(text: str) -> list[str]:
    """What a search asks for: the beginnings that an issue's words must have, at most 12 of them."""
    found: dict[str, None] = {}
    for match in RUN.finditer(normal(text)):
        for piece in pieces(match[0]):
            found[piece.lower()[:MAX_CHARACTERS]] = None
    return list(found)[:MAX_QUERY_WORDS]
