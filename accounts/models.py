"""Users and the four ways they are recognised for a while: sessions, sign-in links, invites, rate buckets."""

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils.crypto import salted_hmac


class Role(models.TextChoices):
    ADMIN = "admin", "Admin"
    MEMBER = "member", "Member"


class UserManager(BaseUserManager["User"]):
    """Plain manager; users are made by `accounts.services`."""


class User(AbstractBaseUser):
    """A person of the team. There are no passwords: the column of the base class is dropped."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    username = models.CharField(max_length=64, unique=True)
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.MEMBER)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()

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

    def get_session_auth_hash(self) -> str:
        return salted_hmac("accounts.User.session", str(self.pk), algorithm="sha256").hexdigest()

    def get_session_auth_fallback_hash(self) -> Any:
        return iter(())


class Session(models.Model):
    """A signed-in browser, found by the SHA-256 of its cookie (contract 5.4); the cookie itself is not kept."""

    key_hash = models.CharField(max_length=64, primary_key=True)
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="sessions")
    data = models.TextField(default="", blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

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
    """A link that makes one account, valid for 7 days (contract 5.3)."""

    token_hash = models.CharField(max_length=64, primary_key=True)
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.MEMBER)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    used_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = (models.CheckConstraint(name="invite_role_known", condition=models.Q(role__in=Role.values)),)

    def __str__(self) -> str:
        return f"invite for one {self.role}"


class RateBucket(models.Model):
    """The shared state of one token bucket; `accounts.throttle` is its only user."""

    key = models.CharField(max_length=160, primary_key=True)
    tokens = models.FloatField()
    updated_ms = models.BigIntegerField(db_index=True)  # the hourly prune

    def __str__(self) -> str:
        return self.key
