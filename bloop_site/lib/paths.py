"""Path parameters that hold any text: Django's own `path` stops at a line break."""

from django.urls import register_converter
from django.urls.converters import StringConverter


class TextConverter(StringConverter):
    """One or more characters of any kind, as fingerprints and releases have them."""

    regex = r"[\s\S]+"


register_converter(TextConverter, "text")
