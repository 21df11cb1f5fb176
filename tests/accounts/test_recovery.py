"""Recovery codes: ten, each once, typed however; only a keyed digest is kept, and django-otp's wait is respected."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken

from accounts import queries
from accounts.audit import Actor
from accounts.models import AuditEntry, Passkey, User
from accounts.services.recovery import MOST_FAILURES, make_recovery_codes, use_recovery_code
from tests.accounts.ceremony import is_signed_in, is_verified, later, post
from tests.factories import make_user

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("unhurried")


def make(user: User) -> list[str]:
    return make_recovery_codes(user=user, actor=Actor(user, "198.51.100.7"), now=NOW)


def use(username: str, code: str) -> Any:
    return use_recovery_code(username=username, code=code, now=NOW, address="198.51.100.7")


def test_ten_codes_are_made_that_can_be_read_out(admin: User):
    codes = make(admin)

    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"[a-hj-kmnp-z2-9]{4}(-[a-hj-kmnp-z2-9]{4}){2}", code) for code in codes)
    assert not any(set("ilo01") & set(code) for code in codes), "none that look alike"
    assert queries.unused_recovery_codes(admin) == 10


def test_each_code_works_once(admin: User):
    codes = make(admin)

    for left, code in zip(range(9, -1, -1), codes, strict=True):
        user, device = use("ann", code)
        assert (user, device) == (admin, StaticDevice.objects.get())
        assert queries.unused_recovery_codes(admin) == left
        StaticDevice.objects.update(throttling_failure_count=0)
        assert use("ann", code) is None
        StaticDevice.objects.update(throttling_failure_count=0)


@pytest.mark.parametrize(
    "typed",
    [
        str.upper,
        lambda code: code.replace("-", ""),
        lambda code: code.replace("-", " "),
        lambda code: f"  {code}\n",
        lambda code: code.replace("-", "–"),
        lambda code: code.replace("-", "_"),
        lambda code: " ".join(code.upper()),
    ],
)
def test_a_code_is_understood_however_it_is_typed(typed: Any, admin: User):
    assert use(" ann ", typed(make(admin)[0])) is not None


@pytest.mark.parametrize("code", ["", "-", "x", "k3f9-x2mq-8d4", "k3f9-x2mq-8d4hh", "é" * 12, "\ud800", "x" * 5000])
def test_anything_else_is_no_code(code: str, admin: User):
    make(admin)

    assert use("ann", code) is None


def test_only_a_keyed_digest_is_kept(admin: User, settings: LazySettings):
    codes = make(admin)

    kept = [token.token for token in StaticToken.objects.all()]
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in kept)
    assert not any(code.replace("-", "") in str(kept) for code in codes)
    settings.SECRET_KEY = "another server's"
    assert use("ann", codes[0]) is None, "a stolen table is of no use elsewhere"


def test_new_codes_replace_the_old_ones(admin: User):
    old, new = make(admin), make(admin)

    assert queries.unused_recovery_codes(admin) == 10
    assert use("ann", old[0]) is None
    StaticDevice.objects.update(throttling_failure_count=0)
    assert use("ann", new[0]) is not None
    assert StaticDevice.objects.count() == 1


def test_a_code_is_its_owners_alone(admin: User):
    codes = make(admin)
    mia = make_user(username="mia")
    make(mia)

    assert use("mia", codes[0]) is None
    assert use("ann", codes[0]) is not None


def test_a_code_of_somebody_switched_off_is_refused(admin: User):
    codes = make(admin)
    User.objects.update(is_active=False)

    assert use("ann", codes[0]) is None
    assert queries.unused_recovery_codes(admin) == 10, "and not used up"


def test_making_and_using_codes_is_noted_without_the_codes(admin: User):
    codes = make(admin)
    use("ann", codes[0])
    use("ann", "wrong")

    entries = list(AuditEntry.objects.order_by("pk").values_list("action", "actor_name", "address", "target"))
    assert entries == [
        ("recovery_codes_made", "ann", "198.51.100.7", "ann"),
        ("recovery_code_used", "ann", "198.51.100.7", "ann"),
    ]
    written = str([vars(entry) for entry in AuditEntry.objects.all()])
    assert not any(code in written for code in codes)
    assert StaticDevice.objects.get().last_used_at == NOW


def test_after_a_wrong_code_the_next_waits(admin: User, monkeypatch: pytest.MonkeyPatch):
    codes = make(admin)
    use("ann", "wrong")

    assert use("ann", codes[0]) is None, "within a second of the failure"
    later(monkeypatch, seconds=1.5)

    assert use("ann", codes[0]) is not None
    assert StaticDevice.objects.get().throttling_failure_count == 0


def test_guessers_cannot_lock_the_owner_out_for_long(admin: User, monkeypatch: pytest.MonkeyPatch):
    codes = make(admin)
    for _ in range(12):
        StaticDevice.objects.update(throttling_failure_timestamp=timezone.now() - timedelta(hours=1))
        use("ann", "wrong")
    assert StaticDevice.objects.get().throttling_failure_count == MOST_FAILURES

    later(monkeypatch, seconds=33)

    assert use("ann", codes[0]) is not None


@pytest.mark.usefixtures("db")
def test_without_a_passkey_a_code_still_signs_in(admin: User):
    codes = make(admin)
    client = Client()
    assert not Passkey.objects.exists()

    post(client, "recover", {"username": "ann", "code": codes[0]})

    assert is_signed_in(client)
    assert is_verified(client)


def test_a_wrong_code_signs_nobody_in(admin: User, client: Client):
    make(admin)

    answer = post(client, "recover", {"username": "ann", "code": "k3f9-x2mq-8d4h"})

    assert (answer.status_code, answer.json()) == (401, {"error": "authentication failed"})
    assert "session" not in client.cookies
    assert not is_signed_in(client)
