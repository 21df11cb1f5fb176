"""System checks: what `manage.py check` finds wrong with a deployment."""

import os
import subprocess
import sys
from pathlib import Path
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
    ("origin", "works"),
    [
        ("http://errors.example.com", "nobody can sign in, by a link neither"),
        ("http://192.0.2.7:5332", "nobody can sign in, by a link neither"),
        ("http://127.0.0.1:5332", "people sign in by manage.py loginlink"),
        ("http://[::1]:5332", "people sign in by manage.py loginlink"),
        ("https://192.0.2.7", "people sign in by manage.py loginlink"),
    ],
)
def test_the_warning_says_truly_who_can_sign_in_without_passkeys(origin: str, works: str, settings: LazySettings):
    configure(settings, origin=origin)

    [message] = checks.passkey_origin()

    assert message.hint is not None
    assert message.hint.startswith(f"Until then {works}")


@pytest.mark.parametrize(
    ("origin", "secure"),
    [
        ("http://errors.example.com", "True"),
        ("https://errors.example.com", "True"),
        ("http://localhost:5332", "False"),
        ("http://127.0.0.1:5332", "False"),
        ("http://app.localhost:5332", "False"),
        ("http://notlocalhost", "True"),
    ],
)
def test_cookies_are_for_https_only_wherever_the_origin_is_not_local(origin: str, secure: str, tmp_path: Path):
    """What the warning rests on; the settings are read once, so by a process of their own."""
    env = {**os.environ, "BLOOP__AUTH__RP_ORIGIN": origin, "BLOOP__DATABASE__PATH": str(tmp_path / "b.db")}
    code = "from bloop_site import settings as s; print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE)"

    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)

    assert done.stdout.split() == [secure, secure]


# --- The start --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["check"], ["serve", "--port", "1"]])
def test_a_start_whose_rp_id_does_not_fit_the_origin_stops_with_the_plain_words(words: list[str], tmp_path: Path):
    auth = {"BLOOP__AUTH__RP_ORIGIN": "https://errors.example.com", "BLOOP__AUTH__RP_ID": "localhost"}
    env = {**os.environ, **auth, "BLOOP__DATABASE__PATH": str(tmp_path / "b.db")}

    done = subprocess.run(
        [sys.executable, "manage.py", *words], env=env, capture_output=True, text=True, check=False, timeout=180
    )

    assert done.returncode != 0
    assert "bloop.E001" in done.stderr
    assert (
        "Passkeys belong to auth.rp_id, which is localhost, but people open auth.rp_origin, whose host is "
        "errors.example.com. Set auth.rp_id to errors.example.com, or to a domain above it."
    ) in done.stderr
    assert "Traceback" not in done.stderr
    assert "listening" not in done.stdout


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
