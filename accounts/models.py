"""People, their passkeys, how they are recognised for a while, and what they did that others should know of."""

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils.crypto import salted_hmac
from django_otp.models import Device


class Role(models.TextChoices):
    ADMIN = "admin", "Admin"
    MEMBER = "member", "Member"


class UserManager(BaseUserManager["User"]):
    """Plain manager; users are made by `accounts.services`."""


class User(AbstractBaseUser):  # type: ignore[django-manager-missing]  # of Passkey, which has one
    """A person of the team. There are no passwords: the column of the base class is dropped."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    username = models.CharField(max_length=64, unique=True)
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.MEMBER)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    # True for the one who came first, null for all others: unique, so that two first registrations make one admin.
    is_founder = models.BooleanField(null=True, default=None, unique=True, editable=False)

    password = None  # type: ignore[assignment]

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    class Meta:
        constraints = (
            models.CheckConstraint(name="user_role_known", condition=models.Q(role__in=Role.values)),
            models.CheckConstraint(name="user_username_not_empty", condition=~models.Q(username="")),
        )

    def __str__(self) -> str:
        return self.username

    @property
    def is_admin(self) -> bool:
        return self.role == Role.ADMIN

    @property
    def is_staff(self) -> bool:
        """Whether the Django admin is open to them, once their session is verified by a passkey."""
        return self.is_admin

    @property
    def is_superuser(self) -> bool:
        return self.is_admin

    def has_perm(self, _perm: str, _obj: object = None) -> bool:
        """Every permission of the Django admin; its own classes say what nobody may do."""
        return self.is_active and self.is_admin

    def has_perms(self, _perms: object, _obj: object = None) -> bool:
        return self.is_active and self.is_admin

    def has_module_perms(self, _app: str) -> bool:
        return self.is_active and self.is_admin

    def get_session_auth_hash(self) -> str:
        return salted_hmac("accounts.User.session", str(self.pk), algorithm="sha256").hexdigest()

    def get_session_auth_fallback_hash(self) -> Any:
        return iter(())


class Passkey(Device):  # type: ignore[misc]  # django-otp has no types
    """A WebAuthn credential of a person; a django-otp device, so a session that used it is verified."""

    credential_id = models.CharField(max_length=1364, unique=True, editable=False)  # base64url, at most 1,023 bytes
    public_key = models.BinaryField(editable=False)  # COSE
    sign_count = models.BigIntegerField(default=0, editable=False)
    transports = models.JSONField(default=list, editable=False)
    aaguid = models.CharField(max_length=36, default="", editable=False)
    is_synced = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = (
            models.CheckConstraint(name="passkey_name_not_empty", condition=~models.Q(name="")),
            models.CheckConstraint(name="passkey_sign_count_counts", condition=models.Q(sign_count__gte=0)),
        )

    def __str__(self) -> str:
        return str(self.name)


class Session(models.Model):
    """A browser, found by the SHA-256 of its cookie (contract 5.4); the cookie itself is not kept.

    Without a user it belongs to somebody who is signing in. Rows may be inserted by hand, so what only describes the
    browser has a default in the database.
    """

    key_hash = models.CharField(max_length=64, primary_key=True)
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="sessions")
    data = models.TextField(default="", db_default="", blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    last_seen_at = models.DateTimeField(null=True)
    address = models.CharField(max_length=45, default="", db_default="")
    user_agent = models.CharField(max_length=300, default="", db_default="")

    class Meta:
        indexes = (models.Index(fields=["expires_at"], name="session_expiry"),)  # the hourly prune

    def __str__(self) -> str:
        return f"session of {self.user_id}"


class LoginLink(models.Model):
    """A sign-in link, used once. Without a user it makes the first admin, as long as nobody exists."""

    token_hash = models.CharField(max_length=64, primary_key=True)
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="login_links")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"sign-in link of {self.user_id or 'the first admin'}"


class Invite(models.Model):
    """A link that makes one account, valid for 7 days (contract 5.3).

    Its token is derived from `seed` and the server's secret (`accounts.secret.derived_token`): admins can see it again
    (contract 5.3 lists it), a copy of the database cannot be used.
    """

    token_hash = models.CharField(max_length=64, primary_key=True)
    seed = models.CharField(max_length=43, default="", editable=False)
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.MEMBER)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    used_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.CheckConstraint(name="invite_role_known", condition=models.Q(role__in=Role.values)),)

    def __str__(self) -> str:
        return f"invite for one {self.role}"


class AuditEntry(models.Model):
    """An administrative act: who, what, when, from where. Written by `accounts.audit`, never changed."""

    at = models.DateTimeField()
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    actor_name = models.CharField(max_length=64)  # stays when the account goes
    address = models.CharField(max_length=45, default="")
    action = models.CharField(max_length=40)
    target = models.CharField(max_length=200)
    project_id = models.CharField(max_length=36, null=True)
    detail = models.JSONField(default=dict)

    class Meta:
        indexes = (models.Index(fields=["action", "-id"], name="audit_by_action"),)  # the filter of the page
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.action} {self.target}"


class RateBucket(models.Model):
    """The shared state of one token bucket; `accounts.throttle` is its only user."""

    key = models.CharField(max_length=160, primary_key=True)
    tokens = models.FloatField()
    updated_ms = models.BigIntegerField(db_index=True)  # the hourly prune

    def __str__(self) -> str:
        return self.key
