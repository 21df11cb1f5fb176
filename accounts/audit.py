"""Writes the audit log: who did what administrative act, when and from where."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import TextChoices

from accounts.models import AuditEntry, User


class Action(TextChoices):
    """What is worth an entry."""

    USER_JOINED = "user_joined", "Joined"
    USER_REMOVED = "user_removed", "Removed a member"
    ROLE_CHANGED = "role_changed", "Changed a role"
    AUTH_RESET = "auth_reset", "Reset all accounts"
    INVITE_CREATED = "invite_created", "Made an invite"
    INVITE_REVOKED = "invite_revoked", "Revoked an invite"
    LINK_MADE = "link_made", "Made a sign-in link"
    LINK_USED = "link_used", "Signed in by link"
    PASSKEY_ADDED = "passkey_added", "Added a passkey"
    PASSKEY_RENAMED = "passkey_renamed", "Renamed a passkey"
    PASSKEY_REMOVED = "passkey_removed", "Removed a passkey"
    PASSKEY_REFUSED = "passkey_refused", "Refused a passkey that may be a copy"
    RECOVERY_CODES_MADE = "recovery_codes_made", "Made recovery codes"
    RECOVERY_CODE_USED = "recovery_code_used", "Signed in by recovery code"
    SESSION_REVOKED = "session_revoked", "Signed a browser out"
    SESSIONS_REVOKED = "sessions_revoked", "Signed all browsers out"
    PROJECT_CREATED = "project_created", "Made a project"
    PROJECT_CHANGED = "project_changed", "Changed a project"
    PROJECT_DELETED = "project_deleted", "Deleted a project"
    KEY_ROTATED = "key_rotated", "Rotated a key"
    KEY_ENDED = "key_ended", "Ended an old key"
    MEMBER_ADDED = "member_added", "Added a member to a project"
    MEMBER_REMOVED = "member_removed", "Removed a member from a project"
    TOKEN_CREATED = "token_created", "Made an API token"
    TOKEN_REVOKED = "token_revoked", "Revoked an API token"
    SOURCE_MAPS_UPLOADED = "source_maps_uploaded", "Uploaded source maps of a release"
    SOURCE_MAP_REPLACED = "source_map_replaced", "Replaced a source map"
    SOURCE_MAP_DELETED = "source_map_deleted", "Deleted source maps"
    RETENTION_CHANGED = "retention_changed", "Changed how long data is kept"
    PURGE_STARTED = "purge_started", "Purged what is too old"
    DEAD_LETTERS_RETRIED = "dead_letters_retried", "Retried dead letters"
    DEAD_LETTERS_DISCARDED = "dead_letters_discarded", "Discarded dead letters"
    LLM_POLICY_CHANGED = "llm_policy_changed", "Changed what is kept of LLM traces"
    LLM_MASKING_CHANGED = "llm_masking_changed", "Changed what is masked in LLM traces"
    LLM_BUDGET_CHANGED = "llm_budget_changed", "Changed an LLM budget"
    PRICE_SET = "price_set", "Set the price of a model"
    PRICE_REMOVED = "price_removed", "Removed the price of a model"
    COSTS_RECALCULATED = "costs_recalculated", "Priced LLM traces anew"
    ALERT_RULE_CREATED = "alert_rule_created", "Made an alert rule"
    ALERT_RULE_CHANGED = "alert_rule_changed", "Changed an alert rule"
    ALERT_RULE_DELETED = "alert_rule_deleted", "Deleted an alert rule"
    ALERT_CHANNEL_ADDED = "alert_channel_added", "Added a channel to an alert rule"
    ALERT_CHANNEL_REMOVED = "alert_channel_removed", "Removed a channel of an alert rule"
    ALERT_SECRET_ROTATED = "alert_secret_rotated", "Made a new secret for a webhook of an alert rule"


@dataclass(frozen=True)
class Actor:
    """Who acts, and the address they act from; without a user it is the command line or the system."""

    user: User | None
    address: str = ""

    @property
    def name(self) -> str:
        return self.user.username if self.user else "command line"


COMMAND_LINE = Actor(None)


def record(
    *,
    actor: Actor,
    action: Action,
    target: str,
    now: datetime,
    project_id: str | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Write one entry; call it in the transaction of the act itself, so that neither is without the other.

    target: in words, what was acted on. detail: JSON for what the words leave out; never a secret.
    """
    AuditEntry.objects.create(
        at=now,
        actor=actor.user,
        actor_name=actor.name,
        address=actor.address,
        action=action,
        target=target[:200],
        project_id=project_id,
        detail=detail or {},
    )
