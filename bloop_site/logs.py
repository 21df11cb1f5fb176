"""Structured logs: one event name and fields a line, on standard error, for Django, Celery and our own code."""

import logging
import logging.config
import os
import re
import sys
from typing import Any

import structlog
from django.conf import settings

# What opens something, wherever it slipped in: Django logs the path of a request that fails, a link's included.
SECRET = re.compile(r"(/auth/(?:link|invite)/|\binvite=|\bbloop_tk_|\bbloop_)[\w-]{16,}")
SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
]


def level_name() -> str:
    """The level from `logging.level`, else RUST_LOG (`debug`, `bloop=debug`: the original's variable), else INFO."""
    wanted = settings.BLOOP.logging.level or rust_log_level(os.environ.get("RUST_LOG", ""))
    name = (wanted or "info").upper()
    other_names = {"WARN": "WARNING", "TRACE": "DEBUG", "OFF": "CRITICAL"}
    return other_names.get(name, name if name in logging.getLevelNamesMapping() else "INFO")


def rust_log_level(value: str) -> str | None:
    """The level word in a RUST_LOG value; a directive for bloop wins over a bare one."""
    found = re.search(r"\bbloop\w*=(\w+)", value) or re.search(r"(?:^|,)\s*(\w+)\s*(?:,|$)", value)
    return found.group(1) if found else None


def without_secrets(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """A processor: the event with the secrets in its texts cut off."""
    return {name: SECRET.sub(r"\1…", value) if isinstance(value, str) else value for name, value in event.items()}


def configure() -> None:
    """Set up logging and structlog for this process; safe to call again."""
    wants_json = settings.BLOOP.logging.format == "json" or (
        settings.BLOOP.logging.format == "auto" and not sys.stderr.isatty()
    )
    renderer: Any = structlog.processors.JSONRenderer() if wants_json else structlog.dev.ConsoleRenderer()
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "structured": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        structlog.processors.format_exc_info,
                        without_secrets,
                        renderer,
                    ],
                    "foreign_pre_chain": SHARED,
                }
            },
            "handlers": {
                "stderr": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "structured"}
            },
            "root": {"handlers": ["stderr"], "level": "WARNING"},
            "loggers": {
                "bloop": {"level": level_name()},
                "django.request": {"level": "ERROR"},
                "celery": {"level": "WARNING"},
            },
        }
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
