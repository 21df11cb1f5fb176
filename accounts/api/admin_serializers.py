"""The JSON of the admins' endpoints (contract 5.3). Shapes only: no rules, nothing saves."""

from typing import Any

from rest_framework import serializers

from accounts.models import User
from bloop_site.lib.checked import Flag, SecondsField

ROLES = ("admin", "member", "user")  # `user` is the documents' word for a member


class UserSerializer(serializers.ModelSerializer[User]):
    is_admin = serializers.BooleanField()
    created_at = SecondsField()

    class Meta:
        model = User
        fields = ("id", "username", "is_admin", "created_at")


class RoleBody(serializers.Serializer[Any]):
    """Either of the two."""

    is_admin = Flag(required=False)
    role = serializers.ChoiceField(choices=ROLES, required=False)


class RoleChangedSerializer(serializers.Serializer[Any]):
    status = serializers.CharField()
    user_id = serializers.UUIDField()
    is_admin = serializers.BooleanField()


class ResetBody(serializers.Serializer[Any]):
    confirm = Flag()


class StatusSerializer(serializers.Serializer[Any]):
    status = serializers.CharField()
