"""What API requests hold, typed strictly: whatever is wrong with a body is a clear 4xx."""

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from bloop_site.lib.api import ApiError
from bloop_site.lib.pagination import MAX_OFFSET, clamp
from bloop_site.lib.parsers import JsonBody

MAX_LIMIT = 200


class SmallJsonBody(JsonBody):
    """JSON of at most a kilobyte, as role, reset and purge take it (contract 9.4)."""

    limit: ClassVar[int] = 1024

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        if len(stream.body) > self.limit:
            raise ApiError(f"body exceeds {self.limit} bytes", status=413)
        return super().parse(stream, media_type, parser_context)


class Text(serializers.CharField):
    """A JSON string; DRF would take numbers too. Trimming and blanks are the service's to decide."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_blank": True, "trim_whitespace": False, **options})

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Whole(serializers.IntegerField):
    """A JSON whole number; DRF would take "7" and 7.0 too."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    """JSON's true or false; DRF would take "yes" and 1 too."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return bool(data)


class SecondsField(serializers.IntegerField):
    """An instant as whole seconds since the epoch, as projects, tokens and people have them (contract 0.2)."""

    def to_representation(self, value: Any) -> int:
        return int(value.timestamp())


def checked_body(serializer: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """The body's known fields. Raises a 400 about the first wrong one; of a missing one it says `<name> is required`.

    An absent body counts as an empty one.
    """
    found = serializer(data=request.data)
    try:
        found.is_valid(raise_exception=True)
    except ValidationError as error:
        name, reasons = next(iter(error.detail.items())) if isinstance(error.detail, dict) else ("", [])
        first = reasons[0] if isinstance(reasons, list) and reasons else None
        if isinstance(first, ErrorDetail) and first.code == "required":
            raise ApiError(f"{name} is required") from None
        raise
    return dict(found.validated_data)


class PageQuery(serializers.Serializer[Any]):
    """`limit` and `offset`, held within bounds (contract 4.1)."""

    limit = serializers.IntegerField(default=50, help_text="1 to 200")
    offset = serializers.IntegerField(default=0)

    def validate_limit(self, value: int) -> int:
        return clamp(value, 1, MAX_LIMIT)

    def validate_offset(self, value: int) -> int:
        return clamp(value, 0, MAX_OFFSET)


def checked_query(query: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """The query string's known parameters, typed and bounded. Raises a 400 naming the first wrong one."""
    serializer = query(data=request.query_params)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
