"""Finds the key a request is signed with, in the order of contract 1.1 with rules H1 to H3."""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.utils import timezone

from bloop_site.lib.api import ApiError
from bloop_site.lib.network import client_address
from ingest import reasons
from ingest.limits import ingest_throttle
from ingest.signature import SignatureEncodingInvalid, decode_signature, is_signed_by
from projects.models import DEFAULT_ID
from projects.queries import KeyOwner, grouping_of, newest_keys, owner_of_key, still_owns

MAX_KEYS_TRIED = 500
RECENT_KEYS = 16
MAX_KNOWN = 1000


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose request it is. owner: the key that says so; None for the legacy secret alone."""

    project_id: str
    grouping: str
    owner: KeyOwner | None = None


class SenderChanged(ApiError):
    """The key was revoked, or its project regrouped, since it was looked up. Asking again settles it."""

    def __init__(self) -> None:
        super().__init__("invalid project key", status=401, code=reasons.UNKNOWN_KEY)


class RecentKeys:
    """Keys that lately signed requests without naming themselves, most recent last. Only an order to try them in."""

    def __init__(self) -> None:
        self.keys: OrderedDict[str, None] = OrderedDict()
        self.lock = Lock()

    def note(self, key: str) -> None:
        with self.lock:
            self.keys[key] = None
            self.keys.move_to_end(key)
            while len(self.keys) > RECENT_KEYS:
                self.keys.popitem(last=False)

    def newest_first(self) -> list[str]:
        with self.lock:
            return list(reversed(self.keys))


class KnownOwners:
    """Owners of keys looked up before.

    Never the last word: the statement that keeps a payload has the condition that the key still owns the project
    (`condition_of`), so a revoked or rotated key ends at once in every process, without a query of its own.
    """

    def __init__(self) -> None:
        self.owners: dict[str, KeyOwner] = {}

    def find(self, key: str) -> KeyOwner | None:
        """The owner as remembered, else as the database has it."""
        known = self.owners.get(key)
        if known is not None:
            return known
        owner = owner_of_key(key, now=timezone.now())
        if owner is not None:
            if len(self.owners) >= MAX_KNOWN:
                self.owners.clear()
            self.owners[key] = owner
        return owner

    def forget(self, key: str) -> None:
        self.owners.pop(key, None)


recent_keys = RecentKeys()
known_owners = KnownOwners()


def condition_of(sender: Sender) -> tuple[str, tuple[object, ...]]:
    """Under what SQL condition a payload of `sender` may be kept, with its parameters."""
    return still_owns(sender.owner, now=timezone.now()) if sender.owner else ("", ())


def confirm(sender: Sender) -> None:
    """Ask whether the key still owns the project, for a view that writes without `keep`. Raises SenderChanged."""
    condition, values = condition_of(sender)
    if not condition:
        return
    parameters: tuple[Any, ...] = values
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 {condition}", parameters)
        held = cursor.fetchone()
    if held is None and sender.owner is not None:
        known_owners.forget(sender.owner.key)
        raise SenderChanged


def signature_of(request: HttpRequest) -> bytes:
    """The decoded X-Signature, or its alias X-Bloop-Signature (H3). Raises ApiError 401 (steps 1 and 2)."""
    header = request.META.get("HTTP_X_SIGNATURE") or request.META.get("HTTP_X_BLOOP_SIGNATURE")
    if not header:
        raise ApiError("missing X-Signature header", status=401, code=reasons.MISSING_SIGNATURE)
    try:
        return decode_signature(header)
    except SignatureEncodingInvalid:
        raise ApiError("invalid signature encoding", status=401, code=reasons.SIGNATURE) from None


def named_owner(request: HttpRequest) -> KeyOwner | None:
    """The project of X-Project-Key; None without the header. Raises ApiError 401 for an unknown key (step 4a)."""
    name = request.META.get("HTTP_X_PROJECT_KEY")
    if name is None:
        return None
    owner = known_owners.find(name)
    if owner is None:
        limit_rate(request, project_id="?")
        raise ApiError("invalid project key", status=401, code=reasons.UNKNOWN_KEY)
    return owner


def limit_rate(request: HttpRequest, *, project_id: str) -> None:
    """Take one token of the project's and address's bucket. Raises ApiError 429 with Retry-After (contract 9.1)."""
    wait = ingest_throttle.wait_seconds(f"{project_id}:{client_address(request)}")
    if wait:
        headers = {"Retry-After": str(wait)}
        raise ApiError(f"too many requests, wait for {wait}s", status=429, headers=headers)


def verify(owner: KeyOwner | None, *, body: bytes, signature: bytes) -> Sender:
    """The sender whose key made `signature` over `body`. Raises ApiError 401 (steps 4 to 6, H1, H2)."""
    if owner is not None and is_signed_by(owner.key, body=body, signature=signature):
        return Sender(owner.project_id, owner.grouping, owner)
    if is_signed_by(settings.HMAC_SECRET, body=body, signature=signature):
        return Sender(owner.project_id, owner.grouping, owner) if owner else Sender(DEFAULT_ID, grouping_of(DEFAULT_ID))
    found = None if owner else unnamed_owner(body=body, signature=signature)
    if found is None:
        raise ApiError("invalid signature", status=401, code=reasons.SIGNATURE)
    return Sender(found.project_id, found.grouping, found)


def unnamed_owner(*, body: bytes, signature: bytes) -> KeyOwner | None:
    """The project whose key verifies although the request names none (H1): recent ones first, then the newest 500."""
    now = timezone.now()
    for key in recent_keys.newest_first():
        if is_signed_by(key, body=body, signature=signature):
            return owner_of_key(key, now=now)  # asked again: it may have been revoked
    for owner in newest_keys(now=now, limit=MAX_KEYS_TRIED):
        if is_signed_by(owner.key, body=body, signature=signature):
            recent_keys.note(owner.key)
            return owner
    return None
