"""Bloop's configuration: config.toml overlaid by the environment, typed and checked before anything starts.

Names and defaults: contract 9.6, with the raised defaults of L9 and design.md 2.
"""

import ipaddress
import os
import secrets
import sys
from pathlib import Path
from typing import Annotated, Any, ClassVar, NoReturn
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

PLACEHOLDER_SECRET = "change-me-in-production"  # noqa: S105  the documented placeholder, refused below
Positive = Annotated[int, Field(gt=0)]
NotNegative = Annotated[int, Field(ge=0)]


class Section(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Server(Section):
    host: str = "0.0.0.0"  # noqa: S104  the documented default
    port: Annotated[int, Field(ge=1, le=65535)] = 5332
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    web_processes: NotNegative = 0
    web_threads: Positive = 24

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def split_list(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("trusted_proxies")
    @classmethod
    def are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network, strict=False)
        return value


class Database(Section):
    path: Path = Path("data/bloop.db")
    pool_size: Positive | None = None  # PostgreSQL connections a process holds at most; None: one a thread, and 4


class Ingest(Section):
    max_payload_bytes: Positive = 32_768
    max_batch_bytes: Positive = 5 * 1024 * 1024
    max_stack_bytes: Positive = 8_192
    max_metadata_bytes: Positive = 4_096
    max_message_bytes: Positive = 2_048
    max_batch_size: Positive = 500
    channel_capacity: Positive = 100_000
    strict_limits: bool = False


class Pipeline(Section):
    flush_interval_secs: Annotated[float, Field(gt=0)] = 2
    flush_batch_size: Positive = 500
    sample_reservoir_size: Annotated[int, Field(ge=1, le=10)] = 5


class Retention(Section):
    raw_events_days: Positive = 7
    prune_interval_secs: Positive = 3600


class Auth(Section):
    hmac_secret: str | None = None
    rp_id: str = "localhost"
    rp_origin: str = "http://localhost:5332"
    session_ttl_secs: Positive = 604_800
    open_setup: bool = False
    setup_token: str | None = None

    @field_validator("hmac_secret")
    @classmethod
    def is_long(cls, value: str | None) -> str | None:
        """Contract 1.1 and appendix D 12: at least 32 characters, never the placeholder."""
        if value is not None and (not 32 <= len(value) <= 512 or value.startswith(PLACEHOLDER_SECRET)):
            msg = "must be at least 32 characters (at most 512) and not the placeholder; try: openssl rand -hex 32"
            raise ValueError(msg)
        return value

    @field_validator("rp_origin")
    @classmethod
    def is_origin(cls, value: str) -> str:
        """The origin as browsers write it, since passkeys compare it letter by letter: no path, no default port."""
        url = urlsplit(value.strip().rstrip("/"))
        if url.scheme not in ("http", "https") or not url.hostname or url.username or url.path or url.query:
            msg = "must be an origin such as https://errors.example.com"
            raise ValueError(msg)
        host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
        is_default = url.port is None or url.port == {"http": 80, "https": 443}[url.scheme]
        return f"{url.scheme}://{host}" if is_default else f"{url.scheme}://{host}:{url.port}"

    @field_validator("rp_id")
    @classmethod
    def is_host_name(cls, value: str) -> str:
        return value.strip().lower()

    @field_validator("setup_token")
    @classmethod
    def is_given(cls, value: str | None) -> str | None:
        """An empty token is none: nothing must match it."""
        return (value or "").strip() or None


class RateLimit(Section):
    per_second: Annotated[float, Field(gt=0)] = 1_000
    burst_size: Positive = 2_000
    auth_per_second: Annotated[float, Field(gt=0)] = 5
    auth_burst_size: Positive = 10


class Alerting(Section):
    cooldown_secs: NotNegative = 900
    allow_private_addresses: bool = False


class Smtp(Section):
    enabled: bool = False
    host: str = "smtp.example.com"
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    username: str = ""
    password: str = ""
    sender: str = Field("bloop@example.com", alias="from")
    starttls: bool = True  # false: TLS from the first byte on
    plaintext: bool = False  # no TLS at all: a relay on this machine


class Analytics(Section):
    enabled: bool = True
    cache_ttl_secs: NotNegative = 60
    zscore_threshold: float = 2.5


class LlmTracing(Section):
    enabled: bool = True
    default_content_storage: Annotated[str, Field(pattern="^(none|metadata_only|full)$")] = "none"
    max_spans_per_trace: Positive = 100
    max_batch_size: Positive = 500
    max_payload_bytes: Positive = 1024 * 1024
    max_batch_bytes: Positive = 5 * 1024 * 1024


class SourceMaps(Section):
    cache_bytes: NotNegative = 64 * 1024 * 1024


class Logging(Section):
    level: Annotated[str, Field(pattern="(?i)^(trace|debug|info|warn|warning|error|critical|off)$")] | None = None
    format: Annotated[str, Field(pattern="^(auto|json|console)$")] = "auto"


class Config(BaseSettings):
    """Everything a deployment may set; `DATABASE_URL` and `REDIS_URL` turn embedded into scaled out."""

    # Django's settings look for this on every read of settings.BLOOP; pydantic needs 10 us to say it is not there.
    _mask_wrapped: ClassVar[bool] = True
    model_config = SettingsConfigDict(
        env_prefix="BLOOP__", env_nested_delimiter="__", extra="ignore", frozen=True, case_sensitive=False
    )

    server: Server = Server()
    database: Database = Database()
    ingest: Ingest = Ingest()
    pipeline: Pipeline = Pipeline()
    retention: Retention = Retention()
    auth: Auth = Auth()
    rate_limit: RateLimit = RateLimit()
    alerting: Alerting = Alerting()
    smtp: Smtp = Smtp()
    analytics: Analytics = Analytics()
    llm_tracing: LlmTracing = LlmTracing()
    sourcemaps: SourceMaps = SourceMaps()
    logging: Logging = Logging()
    database_url: str | None = Field(None, validation_alias="DATABASE_URL")
    redis_url: str | None = Field(None, validation_alias="REDIS_URL")
    default_api_key: str | None = Field(None, validation_alias="BLOOP_DEFAULT_API_KEY")
    # Where alerts of rules without channels go (contract 6.2).
    slack_webhook_url: str | None = Field(None, validation_alias="BLOOP_SLACK_WEBHOOK_URL")
    webhook_url: str | None = Field(None, validation_alias="BLOOP_WEBHOOK_URL")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=config_file()))

    @field_validator("slack_webhook_url", "webhook_url")
    @classmethod
    def is_web_address(cls, value: str | None) -> str | None:
        """An empty one is none. Where it leads is looked at when something is sent."""
        url = (value or "").strip()
        if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
            msg = "must be an address such as https://hooks.example.com/alerts"
            raise ValueError(msg)
        return url or None

    @model_validator(mode="after")
    def batch_fits_capacity(self) -> "Config":
        if self.ingest.max_batch_size > self.ingest.channel_capacity:
            msg = "ingest.max_batch_size is larger than ingest.channel_capacity: a full batch could never be taken"
            raise ValueError(msg)
        return self

    @property
    def data_folder(self) -> Path:
        """Where the database file, the embedded broker and generated secrets stand."""
        return self.database.path.absolute().parent


def config_file() -> Path | None:
    """BLOOP_CONFIG (set by --config), else ./config.toml when it is there; a named file must exist."""
    named = os.environ.get("BLOOP_CONFIG")
    if named:
        if not Path(named).is_file():
            stop(f"the configuration file {named} does not exist")
        return Path(named)
    return Path("config.toml") if Path("config.toml").is_file() else None


def load() -> Config:
    """Read and check the configuration; on a wrong value print one line to standard error and exit with 2."""
    try:
        return Config()
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        stop(f"{name}: {first['msg'].removeprefix('Value error, ')}" if name else first["msg"])
    except ValueError as error:  # tomllib and pydantic-settings on a file or variable they cannot read
        stop(str(error).splitlines()[0])


def stop(reason: str) -> NoReturn:
    """Refuse to start with one clear line on standard error, exit code 2."""
    sys.stderr.write(f"bloop: configuration error: {reason}\n")
    raise SystemExit(2)


def generated_secret(folder: Path, name: str) -> str:
    """The secret kept in `folder/name`, made on first use (64 hex characters, file mode 0600).

    Two processes that start together agree: the file is linked into place only if it is not there yet.
    """
    path = folder / name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{name}.{os.getpid()}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
