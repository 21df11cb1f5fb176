"""Whole ceremonies over HTTP, between a test client and a software authenticator."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Passkey, User
from tests.authenticator import Authenticator


def post(client: Client, path: str, body: Any = None, **headers: str) -> Any:
    """POST JSON to `/auth/<path>`."""
    return client.post(f"/auth/{path}", data=body or {}, content_type="application/json", headers=headers)


def start(client: Client, path: str, **body: Any) -> tuple[str, dict[str, Any]]:
    """Begin a ceremony: its id and its options."""
    answer = post(client, f"{path}/start", body)
    assert answer.status_code == 200, answer.content
    begun = answer.json()
    assert len(begun["challenge_id"]) == 43
    return begun["challenge_id"], begun["publicKey"]


def finish(client: Client, path: str, challenge_id: str, credential: Any, **more: Any) -> Any:
    """Send what the device answered."""
    return post(client, f"{path}/finish", {"challenge_id": challenge_id, "credential": credential, **more})


def sign_in(client: Client, device: Authenticator, *, username: str | None = None, **lies: Any) -> Any:
    """The whole ceremony; the answer of its end."""
    challenge_id, options = start(client, "login", **({"username": username} if username else {}))
    return finish(client, "login", challenge_id, device.get(options, **lies))


def give_passkey(user: User, device: Authenticator, *, name: str = "Laptop") -> Passkey:
    """A passkey of `user` on `device`, made by a session of theirs that is signed out again."""
    client = Client()
    client.force_login(user)
    challenge_id, options = start(client, "passkeys")
    answer = finish(client, "passkeys", challenge_id, device.create(options), name=name)
    assert answer.status_code == 200, answer.content
    client.logout()
    passkey: Passkey = Passkey.objects.get(pk=answer.json()["id"])
    return passkey


def answer_of(answer: Any) -> tuple[int, Any]:
    """Status and JSON."""
    return answer.status_code, answer.json()


def is_signed_in(client: Client) -> bool:
    return client.get("/errors").status_code == 200


def is_verified(client: Client) -> bool:
    """Whether the Django admin lets the session in."""
    return client.get("/admin/").status_code == 200


def later(monkeypatch: pytest.MonkeyPatch, **step: float) -> None:
    """The clock goes on, by so many seconds or minutes."""
    moved = timezone.now() + timedelta(**step)
    monkeypatch.setattr("django.utils.timezone.now", lambda: moved)
