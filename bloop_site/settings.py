"""Django's settings, all derived from `bloop_site.env`: SQLite by default, PostgreSQL and Redis by one URL each."""

import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url

from bloop_site import env
from bloop_site.lib.hosts import is_local

BASE_DIR = Path(__file__).resolve().parent.parent
BLOOP = env.load()
DATA_FOLDER = BLOOP.data_folder
TESTING = "pytest" in sys.modules

SECRET_KEY = env.generated_secret(DATA_FOLDER, "secret_key")
HMAC_SECRET = BLOOP.auth.hmac_secret or env.generated_secret(DATA_FOLDER, "hmac_secret")

DEBUG = False
ORIGIN = urlsplit(BLOOP.auth.rp_origin)
IS_LOCAL = is_local(ORIGIN.hostname or "")
ALLOWED_HOSTS = [ORIGIN.hostname or "", "localhost", "127.0.0.1", "[::1]"]

INSTALLED_APPS = [
    "bloop_site",
    "accounts",
    "projects",
    "ingest",
    "errors",
    "llmtraces",
    "analytics",
    "alerts",
    "bloop_site.admin_app.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_linear_migrations",
    "django_otp",
    "django_otp.plugins.otp_static",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "template_partials",
]

MIDDLEWARE = [
    "bloop_site.middleware.RequestContextMiddleware",
    "bloop_site.middleware.CorsMiddleware",
    "bloop_site.middleware.IngestLaneMiddleware",  # ingest goes no further
    "bloop_site.middleware.ForwardedSchemeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Above everything that may answer by itself, so that refusals carry their headers too.
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "bloop_site.middleware.BodyLimitMiddleware",
    "bloop_site.middleware.KnownHostMiddleware",
    "bloop_site.middleware.CrossSiteGuardMiddleware",
    "accounts.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "accounts.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "bloop_site.urls"
WSGI_APPLICATION = "bloop_site.wsgi.application"
APPEND_SLASH = False  # ingest is never answered with a redirect (contract 0.1)

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",  # the Django admin asks for it
                "django.contrib.messages.context_processors.messages",
                "bloop_site.context.frame",
            ],
        },
    }
]

# --- Databases -------------------------------------------------------------------------------------------------------

SQLITE_PRAGMAS = (
    "PRAGMA auto_vacuum=INCREMENTAL;"  # takes effect on a new file only: retention can hand pages back
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=NORMAL;"
    "PRAGMA secure_delete=FAST;"  # Debian's default overwrites, and so writes, every page a payload leaves behind
    "PRAGMA wal_autocheckpoint=16000;"  # 64 MB: the pages that change most are copied back less often
    "PRAGMA journal_size_limit=67108864;"
    "PRAGMA cache_size=-16000;"
    "PRAGMA mmap_size=268435456;"
    "PRAGMA temp_store=MEMORY;"
)


def keep_private(path: Path) -> None:
    """The database file has mode 0600 from its first byte on; SQLite gives its WAL the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)


def databases() -> dict[str, dict[str, Any]]:
    """PostgreSQL with a connection pool when DATABASE_URL is set, else one SQLite file in WAL mode."""
    if BLOOP.database_url:
        config: dict[str, Any] = dict(dj_database_url.parse(BLOOP.database_url))
        if config["ENGINE"] == "django.db.backends.postgresql":
            config["OPTIONS"] = {
                **config.get("OPTIONS", {}),
                "pool": {
                    "min_size": 1,
                    "max_size": BLOOP.database.pool_size or BLOOP.server.web_threads + 4,
                    "timeout": 10,
                },
            }
            return {"default": config}
        env.stop("DATABASE_URL: only postgresql:// is supported; leave it unset for SQLite")
    keep_private(BLOOP.database.path)
    return {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": BLOOP.database.path.absolute(),
            "CONN_MAX_AGE": None,
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 10, "init_command": SQLITE_PRAGMAS},
        }
    }


DATABASES = databases()
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Cache and queue -------------------------------------------------------------------------------------------------

# A Redis that hangs is as good as none, and a page can do without: it waits so long and no longer.
REDIS_PATIENCE = {"socket_timeout": 1, "socket_connect_timeout": 1}  # seconds, as of rate limits (accounts.throttle)

if BLOOP.redis_url:
    CACHES: dict[str, Any] = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": BLOOP.redis_url,
            "OPTIONS": {**REDIS_PATIENCE, "retry": None},
        }
    }
    CELERY_BROKER_URL = BLOOP.redis_url
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {"visibility_timeout": 3600, **REDIS_PATIENCE}
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    CELERY_BROKER_URL = "bloop-files://localhost"
    for folder in ("queue", "queue-control"):
        (DATA_FOLDER / folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(DATA_FOLDER / "queue"),
        "data_folder_out": str(DATA_FOLDER / "queue"),
        "control_folder": str(DATA_FOLDER / "queue-control"),
        "polling_interval": 0.25,
    }

# --- People ----------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.LinkBackend"]
LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "dashboard"
SESSION_ENGINE = "accounts.sessions"
SESSION_COOKIE_NAME = "session"
SESSION_COOKIE_AGE = BLOOP.auth.session_ttl_secs
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = not IS_LOCAL
CSRF_COOKIE_SECURE = not IS_LOCAL
CSRF_COOKIE_HTTPONLY = True
CSRF_TRUSTED_ORIGINS = [BLOOP.auth.rp_origin]
CSRF_FAILURE_VIEW = "bloop_site.views.csrf_failure"
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

# --- Headers ---------------------------------------------------------------------------------------------------------

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_HSTS_SECONDS = 0 if IS_LOCAL else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = False
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BLOOP.server.trusted_proxies else None
# From any other peer ForwardedSchemeMiddleware has dropped it.
CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ["/v1/ingest", "/v1/traces", "/health"],  # never rendered; keeps the hot path lean
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    },
}
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # HSTS for subdomains is the operator's decision, not ours: other sites may live there
    "security.W008",  # no redirect to https: clients sign a body and do not re-sign a redirect (contract 0.1)
    "security.W021",  # HSTS preload is likewise the operator's decision
]

# --- Static files ----------------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if TESTING
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = TESTING
WHITENOISE_AUTOREFRESH = TESTING  # looks files up when asked, instead of listing them all for each test client

# --- API -------------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["projects.authentication.TokenOrSessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["projects.authentication.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["bloop_site.lib.parsers.JsonBody"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "bloop_site.lib.api.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Bloop",
    "DESCRIPTION": "Errors and LLM traces in, answers out.",
    "VERSION": "1",
    "LICENSE": {"name": "Apache-2.0"},
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": False},  # it would put a link into each button
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {"StatusEnum": "errors.models.Status"},
}

# --- Words and time --------------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
DATA_UPLOAD_MAX_MEMORY_SIZE = None  # BodyLimitMiddleware and the views of ingest refuse by length (contract 9.4)
LOGGING_CONFIG = None  # bloop_site.logs configures logging once, for Django, Celery and ours
