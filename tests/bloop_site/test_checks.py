"""System checks: what `manage.py check` finds wrong with a deployment."""

from urllib.parse import urlsplit

import pytest
from django.conf import LazySettings

from bloop_site import checks


def configure(settings: LazySettings, *, origin: str = "http://localhost:5332", **auth: str | None) -> None:
    changed = settings.BLOOP.auth.model_copy(update={"rp_origin": origin, **auth})
    settings.BLOOP = settings.BLOOP.model_copy(update={"auth": changed})
    settings.ORIGIN = urlsplit(origin)


@pytest.mark.parametrize(
    ("origin", "rp_id", "found"),
    [
        ("http://localhost:5332", "localhost", []),
        ("https://errors.example.com", "errors.example.com", []),
        ("https://errors.example.com", "example.com", []),
        ("https://errors.example.com", "localhost", ["bloop.E001"]),
        ("https://badexample.com", "example.com", ["bloop.E001"]),
        ("https://example.com", "errors.example.com", ["bloop.E001"]),
        ("https://example.com", "com", ["bloop.E001"]),
        ("http://app.localhost:5332", "app.localhost", []),
        ("http://errors.example.com", "errors.example.com", ["bloop.W002"]),
        ("http://127.0.0.1:5332", "127.0.0.1", ["bloop.W002"]),
        ("https://[2001:db8::1]", "localhost", ["bloop.W002"]),
    ],
)
def test_passkeys_need_the_origins_host_or_a_parent(origin: str, rp_id: str, found: list[str], settings: LazySettings):
    configure(settings, origin=origin, rp_id=rp_id)

    assert [message.id for message in checks.passkey_origin()] == found


def test_the_mismatch_is_told_in_plain_words(settings: LazySettings):
    configure(settings, origin="https://errors.example.com", rp_id="localhost")

    [message] = checks.passkey_origin()

    assert message.msg == (
        "Passkeys belong to auth.rp_id, which is localhost, but people open auth.rp_origin, whose host is "
        "errors.example.com. Set auth.rp_id to errors.example.com, or to a domain above it."
    )


@pytest.mark.parametrize(
    ("url", "secret", "found"),
    [
        (None, None, []),
        (None, "s" * 32, []),
        ("postgresql://db/x", "s" * 32, []),
        ("postgresql://db/x", None, ["bloop.W001"]),
    ],
)
def test_several_machines_need_one_secret(
    url: str | None, secret: str | None, found: list[str], settings: LazySettings
):
    configure(settings, hmac_secret=secret)
    settings.BLOOP = settings.BLOOP.model_copy(update={"database_url": url})

    assert [message.id for message in checks.shared_secrets()] == found
