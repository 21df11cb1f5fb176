"""Django's session store over `accounts.Session`: hashed at rest, an absolute lifetime, rows inserted by hand work."""

import secrets
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.db import transaction
from django.utils import timezone

from accounts.models import Session, User
from accounts.secret import hashed


class SessionStore(SessionBase):
    """One row a session. The row's user is what counts: a row with a user and no data is a signed-in session."""

    def _get_new_session_key(self) -> str:
        return secrets.token_urlsafe(32)

    def load(self) -> dict[str, Any]:
        row = (
            Session.objects.filter(key_hash=hashed(self.session_key or ""), expires_at__gt=timezone.now())
            .select_related("user")
            .first()
        )
        if row is None:
            self._session_key = None  # as Django's own store does
            return {}
        data: dict[str, Any] = self.decode(row.data) if row.data else {}
        return {**data, **signed_in(row.user)} if row.user else data

    def exists(self, session_key: str) -> bool:
        return Session.objects.filter(key_hash=hashed(session_key)).exists()

    def create(self) -> None:
        self._session_key = self._get_new_session_key()
        self.save(must_create=True)
        self.modified = True

    def save(self, must_create: bool = False) -> None:  # noqa: FBT001, FBT002  Django's signature
        if self.session_key is None:
            return self.create()
        data = self._get_session(no_load=must_create)  # type: ignore[attr-defined]
        now = timezone.now()
        values = {"data": self.encode(data), "user_id": data.get(SESSION_KEY)}
        key_hash = hashed(self.session_key)
        with transaction.atomic():
            if must_create:
                expires_at = now + timedelta(seconds=settings.SESSION_COOKIE_AGE)
                Session.objects.create(key_hash=key_hash, created_at=now, expires_at=expires_at, **values)
            elif not Session.objects.filter(key_hash=key_hash).update(**values):
                raise UpdateError
        return None

    def delete(self, session_key: str | None = None) -> None:
        Session.objects.filter(key_hash=hashed(session_key or self.session_key or "")).delete()

    @classmethod
    def clear_expired(cls) -> None:
        Session.objects.filter(expires_at__lte=timezone.now()).delete()


def signed_in(user: User) -> dict[str, str]:
    """What django.contrib.auth looks for in the session of `user`."""
    return {
        SESSION_KEY: str(user.pk),
        BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
        HASH_SESSION_KEY: user.get_session_auth_hash(),
    }
