"""Reads JSON bodies that anybody may send: bounded, and nothing in them is more than a 4xx."""

import json
from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from bloop_site.lib.api import ApiError

MAX_BODY = 2 * 1024 * 1024  # contract 9.4, where a route has no limit of its own
MAX_UPLOAD = 5 * 1024 * 1024  # contract 9.4: a form with a file in it
MAX_PAGE_UPLOAD = 32 * 1024 * 1024  # several files at once, by a person


class JsonBody(BaseParser):
    """UTF-8 JSON of at most 2 MB. As DRF's own parser, but it also survives depth, odd charsets and lengths."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        try:
            body = stream.read(MAX_BODY + 1)
        except OSError:
            raise ParseError("failed to read body") from None
        if len(body) > MAX_BODY:
            raise ApiError(f"body exceeds {MAX_BODY} bytes", status=413)
        try:
            return json.loads(body.decode(), parse_constant=refuse_constant)
        except (ValueError, RecursionError):
            raise ParseError("body is not valid JSON") from None


def refuse_constant(name: str) -> Any:
    """NaN and the infinities are no JSON. Raises ValueError."""
    raise ValueError(name)
