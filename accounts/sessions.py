"""Django's session store over `accounts.Session`: hashed at rest, an absolute lifetime, rows inserted by hand work."""

import secrets
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import Session, User
from accounts.secret import hashed

ANONYMOUS_LIFETIME = timedelta(minutes=15)  # of somebody who is signing in
SEEN_EVERY = timedelta(minutes=5)


class SessionStore(SessionBase):
    """One row a session. The row's user is what counts: a row with a user and no data is a signed-in session.

    row: the row as this request knows it, None until it was read or made.
    """

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self.row: Session | None = None
        self.browser: dict[str, str] = {}

    def _get_new_session_key(self) -> str:
        return secrets.token_urlsafe(32)

    def load(self) -> dict[str, Any]:
        self.row = (
            Session.objects.filter(key_hash=hashed(self.session_key or ""), expires_at__gt=timezone.now())
            .select_related("user")
            .first()
        )
        if self.row is None:
            self._session_key = None  # as Django's own store does
            return {}
        data: dict[str, Any] = self.decode(self.row.data) if self.row.data else {}
        return {**data, **signed_in(self.row.user)} if self.row.user else data

    def reload(self) -> None:
        """Read the row again at the next access, as another request may have changed it; drop what was not written."""
        vars(self).pop("_session_cache", None)
        self.modified = False

    def exists(self, session_key: str) -> bool:
        return Session.objects.filter(key_hash=hashed(session_key)).exists()

    def create(self) -> None:
        self._session_key = self._get_new_session_key()
        self.save(must_create=True)
        self.modified = True

    def save(self, must_create: bool = False) -> None:  # noqa: FBT001, FBT002  Django's signature
        data = self._get_session(no_load=must_create)  # type: ignore[attr-defined]
        if self.session_key is None:
            return self.create()
        key_hash = hashed(self.session_key)
        values = {"data": self.encode(data), "user_id": data.get(SESSION_KEY), **self.browser}
        if must_create or self.begins():
            values |= self.lifetime(timezone.now())
        with transaction.atomic():
            if must_create:
                self.row = Session.objects.create(key_hash=key_hash, **values)
            elif not Session.objects.filter(key_hash=key_hash).update(**values):
                raise UpdateError
        if self.row:
            vars(self.row).update(values)
        return None

    def save_unless_changed(self) -> bool:
        """Write the data if the row still holds what this request read. Returns whether it did.

        Of two requests with one session that both take something out of it, one succeeds.
        """
        if self.session_key is None or self.row is None:
            return False
        data = self.encode(self._get_session())  # type: ignore[attr-defined]
        if not Session.objects.filter(key_hash=self.row.key_hash, data=self.row.data).update(data=data):
            return False
        self.row.data = data
        self.modified = False
        return True

    def delete(self, session_key: str | None = None) -> None:
        Session.objects.filter(key_hash=hashed(session_key or self.session_key or "")).delete()
        if session_key is None:
            self.row = None

    @classmethod
    def clear_expired(cls) -> None:
        Session.objects.filter(expires_at__lte=timezone.now()).delete()

    def begins(self) -> bool:
        """Whether the data names a user whom the row does not have yet: they have just signed in."""
        user_id = self.get(SESSION_KEY)
        return user_id is not None and (self.row is None or str(self.row.user_id) != user_id)

    def lifetime(self, now: datetime) -> dict[str, datetime]:
        """The times of a session that begins now."""
        return {"created_at": now, "expires_at": now + self.whole_age(), "last_seen_at": now}

    def whole_age(self) -> timedelta:
        """How long a session lives: the configured time for a person, minutes for who is only signing in."""
        signed_in = SESSION_KEY in self
        return timedelta(seconds=settings.SESSION_COOKIE_AGE) if signed_in else ANONYMOUS_LIFETIME

    def get_session_cookie_age(self) -> int:
        """The seconds the cookie is good for: what is left of the row's life, so writing does not prolong it."""
        if self.row is None or self.begins():
            return int(self.whole_age().total_seconds())
        return max(0, round((self.row.expires_at - timezone.now()).total_seconds()))

    def describe(self, *, address: str, user_agent: str) -> None:
        """Note which browser this is; written with the session."""
        printable = "".join(letter for letter in user_agent if letter.isprintable())
        self.browser = {"address": address[:45], "user_agent": printable[:300]}

    def note_use(self, *, now: datetime) -> None:
        """Note that a signed-in session was used, if this request looked at it; at most every 5 minutes."""
        row = self.row
        if row is None or row.user_id is None or (row.last_seen_at and row.last_seen_at > now - SEEN_EVERY):
            return
        stale = Q(last_seen_at=None) | Q(last_seen_at__lte=now - SEEN_EVERY)
        with transaction.atomic():  # a failure stays in here
            Session.objects.filter(stale, key_hash=row.key_hash).update(last_seen_at=now)


def signed_in(user: User) -> dict[str, str]:
    """What django.contrib.auth looks for in the session of `user`."""
    return {
        SESSION_KEY: str(user.pk),
        BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
        HASH_SESSION_KEY: user.get_session_auth_hash(),
    }
