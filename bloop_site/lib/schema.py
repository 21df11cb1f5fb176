"""What every part of the OpenAPI file says alike: the one shape of an error."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers


class ErrorSerializer(serializers.Serializer[Any]):
    error = serializers.CharField()


def problem(text: str) -> OpenApiResponse:
    """An answer in the one error shape."""
    return OpenApiResponse(ErrorSerializer, description=text)
