"""The JSON of the endpoints of projects, tokens and invites (contract 5.1 to 5.3). Shapes only: no rules, no saving."""

from typing import Any

from rest_framework import serializers

from accounts.models import User
from bloop_site.lib.checked import Flag, SecondsField, Text, Whole
from projects.models import ApiToken, Project
from projects.services.keys import MAX_GRACE_SECONDS

ROLES = ("admin", "member", "user")  # `user` is the documents' word for a member


# --- Projects -------------------------------------------------------------------------------------------------------


class ProjectSerializer(serializers.ModelSerializer[Project]):
    created_at = SecondsField()
    created_by = serializers.UUIDField(source="created_by_id", allow_null=True)

    class Meta:
        model = Project
        fields = ("id", "name", "slug", "created_at", "created_by")


class KeyedProjectSerializer(ProjectSerializer):
    api_key = serializers.CharField(help_text="Only in this answer.")

    class Meta(ProjectSerializer.Meta):
        fields = (*ProjectSerializer.Meta.fields, "api_key")  # type: ignore[assignment]


class NewProjectBody(serializers.Serializer[Any]):
    name = Text()
    slug = Text(help_text="a-z, 0-9 and hyphens; it never changes.")


class ProjectBody(serializers.Serializer[Any]):
    name = Text(required=False)


class DeletedSerializer(serializers.Serializer[Any]):
    deleted = serializers.BooleanField()


class RotateQuery(serializers.Serializer[Any]):
    grace_secs = serializers.IntegerField(
        default=0, min_value=0, max_value=MAX_GRACE_SECONDS, help_text="For how long the old keys work on."
    )


# --- Members --------------------------------------------------------------------------------------------------------


class MemberSerializer(serializers.ModelSerializer[User]):
    is_admin = serializers.BooleanField()

    class Meta:
        model = User
        fields = ("id", "username", "is_admin")


# --- Tokens ---------------------------------------------------------------------------------------------------------


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    project_id = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    created_at = SecondsField()
    expires_at = SecondsField(allow_null=True)

    class Meta:
        model = ApiToken
        fields = ("id", "name", "token_prefix", "project_id", "scopes", "created_at", "expires_at")


class ListedTokenSerializer(TokenSerializer):
    last_used_at = SecondsField(allow_null=True)
    revoked_at = SecondsField(allow_null=True)

    class Meta(TokenSerializer.Meta):
        fields = (*TokenSerializer.Meta.fields, "last_used_at", "revoked_at")  # type: ignore[assignment]


class NewTokenSerializer(TokenSerializer):
    token = serializers.CharField(help_text="Only in this answer.")

    class Meta(TokenSerializer.Meta):
        fields = (*TokenSerializer.Meta.fields, "token")  # type: ignore[assignment]


class NewTokenBody(serializers.Serializer[Any]):
    name = Text()
    project_id = Text(help_text="The project's id or slug.")
    scopes = serializers.ListField(child=Text(max_length=100), max_length=100)
    expires_in_days = Whole(default=None, allow_null=True, help_text="null: never; 0: at once.")


class TokensQuery(serializers.Serializer[Any]):
    project_id = serializers.CharField(help_text="The project's id or slug.")


class RevokedSerializer(serializers.Serializer[Any]):
    revoked = serializers.CharField()


# --- Invites --------------------------------------------------------------------------------------------------------


class InviteBody(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=ROLES, default="member")
    projects = serializers.ListField(
        child=Text(max_length=64), default=list, max_length=100, help_text="Ids or slugs; whoever accepts joins them."
    )


class NewInviteSerializer(serializers.Serializer[Any]):
    token = serializers.CharField()
    expires_at = serializers.IntegerField()
    id = serializers.CharField()
    role = serializers.CharField()
    projects = serializers.ListField(child=serializers.CharField())


class InviteSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(allow_null=True, help_text="null when the server's secret has changed since.")
    created_at = SecondsField()
    expires_at = SecondsField()
    used = serializers.BooleanField()
    id = serializers.CharField()
    role = serializers.CharField()
    revoked = serializers.BooleanField()
    projects = serializers.ListField(child=serializers.CharField())


# --- Retention ------------------------------------------------------------------------------------------------------


class GlobalDaysSerializer(serializers.Serializer[Any]):
    raw_events_days = serializers.IntegerField()
    hourly_counts_days = serializers.IntegerField()


class OwnDaysSerializer(serializers.Serializer[Any]):
    project_id = serializers.CharField()
    project_name = serializers.CharField()
    raw_events_days = serializers.IntegerField()


class StorageSerializer(serializers.Serializer[Any]):
    db_size_bytes = serializers.IntegerField()
    raw_events_count = serializers.IntegerField()
    hourly_counts_count = serializers.IntegerField()
    counted_at = serializers.IntegerField(help_text="Epoch ms; at most a minute ago, where counting is slow.")
    free_bytes = serializers.IntegerField(help_text="Within db_size_bytes: free for new rows (SQLite).")


class RetentionSerializer(serializers.Serializer[Any]):
    locals()["global"] = GlobalDaysSerializer()
    per_project = OwnDaysSerializer(many=True)
    storage = StorageSerializer()


class OwnDaysBody(serializers.Serializer[Any]):
    project_id = Text(max_length=64)
    raw_events_days = Whole(help_text="0 removes the project's own days.")


class RetentionBody(serializers.Serializer[Any]):
    raw_events_days = Whole(required=False)
    hourly_counts_days = Whole(required=False)
    per_project = serializers.ListField(child=OwnDaysBody(), required=False)


class PurgeBody(serializers.Serializer[Any]):
    confirm = Flag()


class PurgedSerializer(serializers.Serializer[Any]):
    status = serializers.CharField()
    raw_events_deleted = serializers.IntegerField()
    hourly_counts_deleted = serializers.IntegerField()
    running = serializers.BooleanField(required=False, help_text="Only there, and true, when it goes on afterwards.")
