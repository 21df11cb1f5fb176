"""Web addresses inside plain text, so that a page can make links of them. Pure."""

import re
from dataclasses import dataclass

# Only what RFC 3986 allows in an address, and only http(s): no other scheme, quote or space becomes part of a link.
ADDRESS = re.compile(r"\bhttps?://[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+", re.IGNORECASE)
PUNCTUATION = ".,;:!?'"


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text; url: where it leads, empty for text alone."""

    text: str
    url: str = ""


def pieces_of(text: str) -> list[Piece]:
    """The text cut where addresses begin and end; put together again it is the text."""
    pieces: list[Piece] = []
    at = 0
    for match in ADDRESS.finditer(text):
        url = without_end(match[0])
        if not re.match(r"https?://[A-Za-z0-9\[]", url, re.IGNORECASE):
            continue
        if match.start() > at:
            pieces.append(Piece(text[at : match.start()]))
        pieces.append(Piece(url, url))
        at = match.start() + len(url)
    if at < len(text):
        pieces.append(Piece(text[at:]))
    return pieces


def without_end(url: str) -> str:
    """The address without what belongs to the sentence around it: "(see http://a/b)." has http://a/b."""
    while url:
        last = url[-1]
        if last in PUNCTUATION or (last == ")" and url.count(")") > url.count("(")):
            url = url[:-1]
        else:
            break
    return url
