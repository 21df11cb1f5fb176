"""Recovery codes: django-otp's static tokens, of which only a keyed digest is kept. Each works once."""

import hmac
import re
import secrets
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken

from accounts.attempts import take_for_account
from accounts.audit import Action, Actor, record
from accounts.models import RateBucket, User
from accounts.queries import plain_username

CODES = 10
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look alike; 12 of them are 59 bits
MOST_FAILURES = 6  # so that the wait, which doubles with each, ends at half a minute: guessers must not lock owners out


def make_recovery_codes(*, user: User, actor: Actor, now: datetime) -> list[str]:
    """Make ten codes, like `k3f9-x2mq-8d4h`, in place of those there were. They cannot be shown again.

    Writes digests and the audit entry.
    """
    codes = [new_code() for _ in range(CODES)]
    with transaction.atomic():
        list(User.objects.select_for_update().filter(pk=user.pk))  # two at once follow each other: one set remains
        device = StaticDevice.objects.filter(user=user).first()
        if device is None:
            device = StaticDevice.objects.create(user=user, name="Recovery codes")
        device.throttle_reset()
        device.token_set.all().delete()
        StaticToken.objects.bulk_create(StaticToken(device=device, token=digest(device.pk, code)) for code in codes)
        record(actor=actor, action=Action.RECOVERY_CODES_MADE, target=user.username, now=now)
    return codes


def new_code() -> str:
    """Three groups of four characters."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(3))


def digest(device_id: int, code: str) -> str:
    """16 hex characters that only this server can make of the code, however it was typed."""
    plain = re.sub(r"[\W_]", "", code.lower())
    key = settings.SECRET_KEY.encode()
    message = f"recovery code:{device_id}:{plain}".encode("utf-8", "surrogatepass")
    return hmac.digest(key, message, "sha256").hex()[:16]


def use_recovery_code(*, username: str, code: str, now: datetime, address: str) -> tuple[User, Device] | None:
    """Use a code up. Returns its person and the device that makes their session verified, or None.

    Somebody unknown, somebody without codes and a wrong code take the same reads and writes. Writes the audit entry of
    a use. Raises TooOften when the account was tried too often; django-otp's own wait after failures answers None.
    """
    name = plain_username(username)
    take_for_account("recovery", name)
    with transaction.atomic():
        found = StaticDevice.objects.select_related("user").select_for_update(of=("self",))
        device = found.filter(user__username=name, user__is_active=True, confirmed=True).first()
        device_id = device.pk if device else 0
        used = StaticToken.objects.filter(device_id=device_id, token=digest(device_id, code))
        is_allowed = device is not None and device.verify_is_allowed()[0]
        if not is_allowed or device is None:
            pretend(now=now)
            return None
        if not used.delete()[0]:
            note_failure(device)
            return None
        device.throttle_reset(commit=False)
        device.last_used_at = now
        device.save()
        user: User = device.user
        record(actor=Actor(user, address), action=Action.RECOVERY_CODE_USED, target=user.username, now=now)
    return user, device


def note_failure(device: StaticDevice) -> None:
    """Make the next attempt wait, longer after each failure, up to a point."""
    device.throttle_increment(commit=False)
    device.throttling_failure_count = min(device.throttling_failure_count, MOST_FAILURES)
    device.save()


def pretend(*, now: datetime) -> None:
    """Do what a wrong code for a known person does: look for the code, then lock a row and write it."""
    StaticToken.objects.filter(device_id=0, token="").delete()
    values = {"tokens": 0, "updated_ms": int(now.timestamp() * 1000)}
    RateBucket.objects.update_or_create(key="recovery:nobody", defaults=values)
