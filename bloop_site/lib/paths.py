"""Path parameters that hold any text: Django's own `path` stops at a line break."""

import re

from django.urls import register_converter
from django.urls.converters import StringConverter

DOTS = re.compile(r"(?<![^/])\.{1,2}~*(?![^/])")
MARKED = re.compile(r"(?<![^/])(\.{1,2}~*)~(?![^/])")


class TextConverter(StringConverter):
    """One or more characters of any kind, as fingerprints and releases have them."""

    regex = r"[\s\S]+"


class PageTextConverter(TextConverter):
    """Text in the address of a page, of which browsers leave nothing out."""

    def to_python(self, value: str) -> str:
        return without_marks(value)

    def to_url(self, value: str) -> str:
        return with_marks(value)


def with_marks(text: str) -> str:
    """The text with a `~` behind every segment of dots: `a/..` is `a/..~`, and `..~`, which looks like one, `..~~`.

    Browsers take `.` and `..` for folders, even escaped, and ask for another page than the link says.
    """
    return DOTS.sub(r"\g<0>~", text)


def without_marks(text: str) -> str:
    """The text that `with_marks` made this of; segments of dots without a mark are left as they are."""
    return MARKED.sub(r"\1", text)


register_converter(TextConverter, "text")
register_converter(PageTextConverter, "pagetext")
