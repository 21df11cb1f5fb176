"""The base of the endpoints of Insights: who may ask, that the section is on, and what may be asked (contract 7)."""

from typing import Any, ClassVar

from django.conf import settings
from rest_framework import serializers
from rest_framework.request import Request

from analytics.answers import MAX_HOURS, MAX_LIMIT, USUAL_HOURS, USUAL_LIMIT, Ask
from bloop_site.lib.api import ApiError
from bloop_site.lib.clock import now_ms
from bloop_site.lib.pagination import clamp
from projects.views import ScopedView


class LimitQuery(serializers.Serializer[Any]):
    """How many rows; the bound is held, not refused."""

    limit = serializers.IntegerField(default=USUAL_LIMIT, help_text=f"1 to {MAX_LIMIT}")

    def validate_limit(self, value: int) -> int:
        return clamp(value, 1, MAX_LIMIT)


class WindowQuery(LimitQuery):
    """What every windowed endpoint understands; each bound is held, not refused."""

    hours = serializers.IntegerField(
        default=USUAL_HOURS, help_text=f"1 to {MAX_HOURS}, counted back from the running clock hour, which is one"
    )
    environment = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)

    def validate_hours(self, value: int) -> int:
        return clamp(value, 1, MAX_HOURS)


def refuse_when_off() -> None:
    """While the section is off its endpoints do not exist, whoever asks (contract 0.6). Raises ApiError 404."""
    if not settings.BLOOP.analytics.enabled:
        raise ApiError("not found", status=404)


class InsightsView(ScopedView):
    """A question about errors as a whole. With `analytics.enabled` off it does not exist."""

    scopes: ClassVar[tuple[str, ...]] = ("analytics:read", "errors:read")

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """As `refuse_when_off`."""
        refuse_when_off()
        super().initial(request, *args, **kwargs)

    def ask(self, request: Request, query: dict[str, Any]) -> Ask:
        """What a checked query asks, over the caller's projects."""
        return Ask(
            reach=self.reach(request),
            hours=query.get("hours", USUAL_HOURS),
            now_ms=now_ms(),
            limit=query["limit"],
            environment=query.get("environment", ""),
        )
