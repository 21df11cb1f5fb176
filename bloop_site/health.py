"""`/health` for container checks (always 200, contract 4.9) and `/health/ready` (503 when degraded)."""

from dataclasses import dataclass

from django.contrib.auth.decorators import login_not_required
from django.db import Error
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from bloop_site.lib.clock import SECOND_MS, now_ms
from ingest import buffer

STALE_MS = 60 * SECOND_MS
NEARLY_FULL = 0.9


@dataclass(frozen=True)
class Health:
    """Whether the database answers, how full the buffer is (0 to 1), how long its oldest payload waits, what died."""

    db_ok: bool
    buffer_usage: float = 0.0
    oldest_ms: int = 0
    dead: int = 0

    @property
    def is_ok(self) -> bool:
        return self.db_ok and self.buffer_usage < NEARLY_FULL and self.oldest_ms < STALE_MS

    @property
    def words(self) -> str:
        """One plain phrase for the frame."""
        if not self.db_ok:
            return "Database unreachable"
        if self.buffer_usage >= NEARLY_FULL:
            return f"Buffer {self.buffer_usage:.0%} full"
        if self.oldest_ms >= STALE_MS:
            return f"Events wait {self.oldest_ms // SECOND_MS} s"
        return f"{self.dead} events could not be stored" if self.dead else "All systems working"


def look() -> Health:
    """Ask the database how things stand; a failure is an answer, not an exception."""
    try:
        oldest = buffer.oldest_received_ms()
        return Health(
            db_ok=True,
            buffer_usage=round(buffer.usage(buffer.waiting_items()), 4),
            oldest_ms=max(0, now_ms() - oldest) if oldest is not None else 0,
            dead=buffer.dead_items(),
        )
    except Error:  # InterfaceError (a connection that was cut) is not a DatabaseError
        return Health(db_ok=False)


def body(found: Health) -> dict[str, object]:
    """The three keys of the contract."""
    status = "ok" if found.is_ok else "degraded"
    return {"status": status, "db_ok": found.db_ok, "buffer_usage": found.buffer_usage}


@login_not_required
@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Always 200: the process answers; what it has to say is in the body."""
    return JsonResponse(body(look()))


@login_not_required
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """503 when degraded, with the reason in words."""
    found = look()
    detail = {**body(found), "oldest_unflushed_ms": found.oldest_ms, "dead_letters": found.dead, "words": found.words}
    return JsonResponse(detail, status=200 if found.is_ok else 503)
