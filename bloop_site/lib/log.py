"""Our loggers: `logger("errors.record")` logs under `bloop.errors.record`, so one level governs all of Bloop."""

from typing import cast

import structlog


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A structured logger below `bloop`. Event names are constants; what varies goes into fields."""
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(f"bloop.{name}"))
