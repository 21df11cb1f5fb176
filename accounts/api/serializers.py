"""The JSON of the sign-in endpoints (contract 5.4). Shapes only: no rules, nothing saves."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


@extend_schema_field(OpenApiTypes.OBJECT)
class AnyField(serializers.Field[Any, Any, Any, Any]):
    """Any JSON as it came; `accounts.passkeys` looks at it."""

    def to_internal_value(self, data: Any) -> Any:
        return data

    def to_representation(self, value: Any) -> Any:
        return value


def text(*, max_length: int = 200, help_text: str = "") -> serializers.CharField:
    """A text that may be missing, null or blank: then it is ""."""
    return serializers.CharField(
        required=False, default="", allow_blank=True, allow_null=True, max_length=max_length, help_text=help_text
    )


# --- Bodies ---------------------------------------------------------------------------------------------------------


class StartSerializer(serializers.Serializer[Any]):
    """A start that needs to know nothing."""


class RegisterStartSerializer(serializers.Serializer[Any]):
    username = text()
    link_token = text(help_text="The token of the first admin's link, /auth/link/<token>.")
    setup_token = text(max_length=1000, help_text="The configured auth.setup_token.")


class InviteStartSerializer(serializers.Serializer[Any]):
    username = text()
    invite_token = text()


class LoginStartSerializer(serializers.Serializer[Any]):
    username = text(help_text="Missing: the device offers the passkeys it has.")


class FinishSerializer(serializers.Serializer[Any]):
    challenge_id = text()
    credential = AnyField(required=False, default=None, help_text="As browsers make it, bytes in base64url.")


class RegisterFinishSerializer(FinishSerializer):
    name = text(help_text="What to call the passkey; missing: the browser.")


class InviteFinishSerializer(RegisterFinishSerializer):
    invite_token = text()


class RecoverSerializer(serializers.Serializer[Any]):
    username = text()
    code = text(help_text="Letter case, blanks and dashes do not matter.")


# --- Answers --------------------------------------------------------------------------------------------------------


class OptionsSerializer(serializers.Serializer[Any]):
    challenge_id = serializers.CharField()
    publicKey = AnyField(help_text="Options for navigator.credentials, bytes in base64url.")  # noqa: N815  WebAuthn's


class DoneSerializer(serializers.Serializer[Any]):
    status = serializers.CharField(help_text="ok")


class AddedSerializer(DoneSerializer):
    id = serializers.IntegerField()


class SetupStatusSerializer(serializers.Serializer[Any]):
    setup_complete = serializers.BooleanField()
