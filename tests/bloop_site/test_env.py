"""The configuration: file below environment, every documented name, wrong values stopped in one line (contract 9.6)."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from bloop_site import env
from bloop_site.settings import keep_private

DOCUMENTED: dict[str, dict[str, Any]] = {
    "server": {"host": "127.0.0.1", "port": 8080},
    "database": {"path": "elsewhere/b.db", "pool_size": 2},
    "ingest": {
        "max_payload_bytes": 1000,
        "max_stack_bytes": 100,
        "max_metadata_bytes": 101,
        "max_message_bytes": 102,
        "max_batch_size": 7,
        "channel_capacity": 99,
    },
    "pipeline": {"flush_interval_secs": 1, "flush_batch_size": 10, "sample_reservoir_size": 3},
    "retention": {"raw_events_days": 3, "prune_interval_secs": 999_999},
    "auth": {
        "hmac_secret": "0123456789abcdef0123456789abcdef",
        "rp_id": "example.com",
        "rp_origin": "https://errors.example.com",
        "session_ttl_secs": 60,
    },
    "rate_limit": {"per_second": 10, "burst_size": 20, "auth_per_second": 1, "auth_burst_size": 2},
    "alerting": {"cooldown_secs": 60, "allow_private_addresses": True},
    "smtp": {
        "enabled": True,
        "host": "mail.example.com",
        "port": 465,
        "username": "u",
        "password": "p",
        "from": "errors@example.com",
        "starttls": False,
    },
    "analytics": {"enabled": False, "cache_ttl_secs": 5, "zscore_threshold": 3.5},
    "llm_tracing": {
        "enabled": False,
        "channel_capacity": 1,
        "flush_interval_secs": 1,
        "flush_batch_size": 1,
        "max_spans_per_trace": 1,
        "max_batch_size": 1,
        "default_content_storage": "full",
        "cache_ttl_secs": 1,
        "pricing_refresh_interval_secs": 0,
        "pricing_url": "https://prices.example.com",
    },
}
LATER = {  # accepted today, read when LLM tracing comes
    "llm_tracing": set(DOCUMENTED["llm_tracing"]) - {"enabled", "default_content_storage"}
}


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.upper().startswith("BLOOP_") or name in ("DATABASE_URL", "REDIS_URL"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def toml(sections: dict[str, dict[str, Any]]) -> str:
    lines = []
    for section, values in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    return "\n".join(lines)


def assert_as_documented(config: env.Config) -> None:
    for section, values in DOCUMENTED.items():
        for name, value in values.items():
            if name in LATER.get(section, ()):
                continue
            found = getattr(getattr(config, section), "sender" if name == "from" else name)
            assert str(found) == str(value) or found == value, f"{section}.{name}"


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    """Load, and return the one line said on standard error."""
    with pytest.raises(SystemExit) as stop:
        env.load()
    out, err = capsys.readouterr()
    assert (stop.value.code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("bloop: configuration error: ")
    return err


def test_nothing_needs_to_be_configured():
    config = env.load()

    assert (config.server.host, config.server.port) == ("0.0.0.0", 5332)
    assert (config.auth.rp_id, config.auth.rp_origin) == ("localhost", "http://localhost:5332")
    assert (config.auth.session_ttl_secs, config.auth.hmac_secret) == (604_800, None)
    assert (config.ingest.max_payload_bytes, config.ingest.max_batch_size) == (32_768, 500)
    assert config.ingest.channel_capacity == 100_000
    assert (config.pipeline.flush_interval_secs, config.pipeline.flush_batch_size) == (2, 500)


def test_every_documented_name_is_read_from_the_file():
    Path("config.toml").write_text(toml(DOCUMENTED))

    assert_as_documented(env.load())


def test_every_documented_name_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    for section, values in DOCUMENTED.items():
        for name, value in values.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            monkeypatch.setenv(f"BLOOP__{section}__{name}".upper(), text)

    assert_as_documented(env.load())


def test_the_environment_wins_over_the_file_name_by_name(monkeypatch: pytest.MonkeyPatch):
    Path("config.toml").write_text(toml({"server": {"host": "10.0.0.1", "port": 1000}}))
    monkeypatch.setenv("BLOOP__SERVER__PORT", "2000")

    server = env.load().server

    assert (server.host, server.port) == ("10.0.0.1", 2000)


def test_a_named_file_is_read_instead_of_the_one_beside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    Path("config.toml").write_text(toml({"server": {"port": 1000}}))
    named = tmp_path / "other.toml"
    named.write_text(toml({"server": {"port": 2000}}))
    monkeypatch.setenv("BLOOP_CONFIG", str(named))

    assert env.load().server.port == 2000


def test_the_hooks_of_rules_without_channels_have_names_of_their_own(monkeypatch: pytest.MonkeyPatch):
    assert (env.load().slack_webhook_url, env.load().webhook_url) == (None, None)
    monkeypatch.setenv("BLOOP_SLACK_WEBHOOK_URL", " https://hooks.slack.com/services/x ")
    monkeypatch.setenv("BLOOP_WEBHOOK_URL", "")

    config = env.load()

    assert (config.slack_webhook_url, config.webhook_url) == ("https://hooks.slack.com/services/x", None)


def test_names_nobody_knows_are_passed_over(monkeypatch: pytest.MonkeyPatch):
    Path("config.toml").write_text('[server]\nport = 1000\ncolour = "red"\n[future]\nx = 1\n')
    monkeypatch.setenv("BLOOP__NOPE__X", "1")

    assert env.load().server.port == 1000


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("BLOOP__SERVER__PORT", "http", "server.port: "),
        ("BLOOP__SERVER__PORT", "0", "server.port: "),
        ("BLOOP__SERVER__PORT", "65536", "server.port: "),
        ("BLOOP__SERVER__TRUSTED_PROXIES", "10.0.0.0/8,proxy", "server.trusted_proxies: "),
        ("BLOOP__SERVER", "5332", "server"),
        ("BLOOP__INGEST__MAX_BATCH_SIZE", "-1", "ingest.max_batch_size: "),
        ("BLOOP__INGEST__MAX_BATCH_SIZE", "100001", "could never be taken"),
        ("BLOOP__PIPELINE__FLUSH_INTERVAL_SECS", "0", "pipeline.flush_interval_secs: "),
        ("BLOOP__PIPELINE__SAMPLE_RESERVOIR_SIZE", "11", "pipeline.sample_reservoir_size: "),
        ("BLOOP__AUTH__RP_ORIGIN", "errors.example.com", "auth.rp_origin: must be an origin"),
        ("BLOOP__AUTH__RP_ORIGIN", "ftp://errors.example.com", "auth.rp_origin: must be an origin"),
        ("BLOOP__AUTH__RP_ORIGIN", "https://example.com/errors", "auth.rp_origin: must be an origin"),
        ("BLOOP__AUTH__RP_ORIGIN", "https://ann@example.com", "auth.rp_origin: must be an origin"),
        ("BLOOP__AUTH__RP_ORIGIN", "https://example.com:99999", "auth.rp_origin: "),
        ("BLOOP__AUTH__OPEN_SETUP", "perhaps", "auth.open_setup: "),
        ("BLOOP__SMTP__ENABLED", "perhaps", "smtp.enabled: "),
        ("BLOOP__ALERTING__ALLOW_PRIVATE_ADDRESSES", "perhaps", "alerting.allow_private_addresses: "),
        ("BLOOP_SLACK_WEBHOOK_URL", "hooks.slack.com/services/x", "BLOOP_SLACK_WEBHOOK_URL: must be an address"),
        ("BLOOP_WEBHOOK_URL", "ftp://example.com", "BLOOP_WEBHOOK_URL: must be an address"),
        ("BLOOP__LLM_TRACING__DEFAULT_CONTENT_STORAGE", "some", "llm_tracing.default_content_storage: "),
        ("BLOOP__SOURCEMAPS__CACHE_BYTES", "-1", "sourcemaps.cache_bytes: "),
        ("BLOOP__LOGGING__LEVEL", "loud", "logging.level: "),
        ("BLOOP__LOGGING__FORMAT", "xml", "logging.format: "),
        ("BLOOP_CONFIG", "/nowhere/config.toml", "the configuration file /nowhere/config.toml does not exist"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv(name, value)

    assert said in refusal(capsys)


@pytest.mark.parametrize("text", ["[server\nport = 1", "port", '[server]\nport = "x"', "\xff\xfe"])
def test_a_file_that_cannot_be_read_is_one_line_too(text: str, capsys: pytest.CaptureFixture[str]):
    Path("config.toml").write_bytes(text.encode("latin-1"))

    assert refusal(capsys)


@pytest.mark.parametrize(
    "secret", ["", "short", "x" * 31, "change-me-in-production", "change-me-in-production-please-do-so"]
)
def test_a_short_or_placeholder_secret_is_refused_without_being_repeated(
    secret: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("BLOOP__AUTH__HMAC_SECRET", secret)

    said = refusal(capsys)

    assert "auth.hmac_secret: must be at least 32 characters" in said
    assert not secret or secret not in said


def test_proxies_are_a_list_in_the_file_and_separated_by_commas_in_the_environment(monkeypatch: pytest.MonkeyPatch):
    Path("config.toml").write_text('[server]\ntrusted_proxies = ["10.0.0.0/8", "::1"]')
    assert env.load().server.trusted_proxies == ("10.0.0.0/8", "::1")

    monkeypatch.setenv("BLOOP__SERVER__TRUSTED_PROXIES", "192.0.2.1, 198.51.100.0/24")
    assert env.load().server.trusted_proxies == ("192.0.2.1", "198.51.100.0/24")


@pytest.mark.parametrize(
    ("configured", "as_browsers_write_it"),
    [
        ("https://errors.example.com", "https://errors.example.com"),
        ("https://errors.example.com/", "https://errors.example.com"),
        ("HTTPS://Errors.Example.com:443", "https://errors.example.com"),
        ("http://localhost:80", "http://localhost"),
        ("http://localhost:443", "http://localhost:443"),
        ("http://[::1]:5332", "http://[::1]:5332"),
    ],
)
def test_the_origin_is_kept_as_browsers_write_it(
    configured: str, as_browsers_write_it: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("BLOOP__AUTH__RP_ORIGIN", configured)

    assert env.load().auth.rp_origin == as_browsers_write_it


def test_setting_up_is_closed_unless_it_is_opened(monkeypatch: pytest.MonkeyPatch):
    assert (env.load().auth.open_setup, env.load().auth.setup_token) == (False, None)

    monkeypatch.setenv("BLOOP__AUTH__OPEN_SETUP", "true")
    monkeypatch.setenv("BLOOP__AUTH__SETUP_TOKEN", " correct-horse ")
    assert (env.load().auth.open_setup, env.load().auth.setup_token) == (True, "correct-horse")


@pytest.mark.parametrize("token", ["", "  "])
def test_an_empty_setup_token_is_none_so_nothing_matches_it(token: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BLOOP__AUTH__SETUP_TOKEN", token)

    assert env.load().auth.setup_token is None


# --- Secrets and files ------------------------------------------------------------------------------------------


def test_a_generated_secret_is_private_long_and_stays(tmp_path: Path):
    first = env.generated_secret(tmp_path / "data", "hmac_secret")
    second = env.generated_secret(tmp_path / "data", "hmac_secret")

    assert first == second
    assert len(first) == 64
    assert stat.S_IMODE((tmp_path / "data/hmac_secret").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["hmac_secret"], "no draft is left behind"


def test_of_two_processes_that_start_together_the_slower_takes_the_others_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    link = os.link

    def link_too_late(draft: Path, path: Path) -> None:
        path.write_text("theirs")
        link(draft, path)

    monkeypatch.setattr("bloop_site.env.os.link", link_too_late)

    assert env.generated_secret(tmp_path, "secret") == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_the_database_file_is_private_from_the_start_and_made_so_later(tmp_path: Path):
    new, old = tmp_path / "deep/new.db", tmp_path / "old.db"
    old.touch(mode=0o644)
    old.chmod(0o644)

    for path in (new, old):
        keep_private(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def manage(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`manage.py WORDS` as its own process in the present folder."""
    return subprocess.run(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_wrong_value_stops_every_command_with_status_2_and_one_line():
    done = manage("check", BLOOP__AUTH__HMAC_SECRET="short", BLOOP__DATABASE__PATH="data/b.db")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("bloop: configuration error: auth.hmac_secret: ")
    assert not Path("data").exists(), "nothing was written"


@pytest.mark.parametrize("flag", [["--config", "my.toml"], ["--config=my.toml"]])
def test_serve_reads_the_file_it_is_given(flag: list[str]):
    Path("my.toml").write_text(toml({"server": {"port": 99_999}}))

    done = manage("serve", *flag)

    assert done.returncode == 2
    assert "configuration error: server.port: " in done.stderr


def test_a_database_that_is_neither_sqlite_nor_postgresql_is_refused():
    done = manage("check", DATABASE_URL="mysql://u:p@localhost/x", BLOOP__DATABASE__PATH="data/b.db")

    assert done.returncode == 2
    assert (
        done.stderr
        == "bloop: configuration error: DATABASE_URL: only postgresql:// is supported; leave it unset for SQLite\n"
    )


@pytest.mark.parametrize(("configured", "most"), [({}, 28), ({"BLOOP__DATABASE__POOL_SIZE": "3"}, 3)])
def test_the_pool_of_postgresql_connections_is_as_large_as_configured(configured: dict[str, str], most: int):
    url = "postgresql://u:p@localhost/x"
    code = "from bloop_site.settings import DATABASES as d; print(d['default']['OPTIONS']['pool']['max_size'])"

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(settings.BASE_DIR), "DATABASE_URL": url, **configured},
        capture_output=True,
        text=True,
        check=True,
    )

    assert int(done.stdout) == most


def test_every_setting_is_used_or_belongs_to_a_section_that_is_not_yet():
    """A field nobody reads is a promise nobody keeps."""
    not_yet = {"retention", "alerting", "analytics", "llm_tracing"}
    code = "\n".join(
        path.read_text()
        for app in ("accounts", "alerts", "analytics", "bloop_site", "errors", "ingest", "llmtraces", "projects")
        for path in (settings.BASE_DIR / app).rglob("*.py")
        if path.name != "env.py"
    )
    unread = [
        f"{section}.{name}"
        for section, given in env.Config.model_fields.items()
        if isinstance(given.annotation, type) and issubclass(given.annotation, env.Section) and section not in not_yet
        for name in given.annotation.model_fields
        if f"{section}.{name}" not in code
    ]

    assert unread == []
