"""The base of the query endpoints: who may ask, that the section is on, and the window of the query (contract 8.4)."""

from typing import Any, ClassVar

from django.conf import settings
from rest_framework import serializers
from rest_framework.request import Request

from bloop_site.lib.api import ApiError
from bloop_site.lib.checked import PageQuery
from bloop_site.lib.clock import now_ms
from bloop_site.lib.pagination import clamp
from llmtraces.queries.window import Window
from projects.views import ScopedView

MAX_HOURS = 720


class WindowQuery(PageQuery):
    """What every windowed endpoint understands; each bound is held, not refused."""

    hours = serializers.IntegerField(default=24, help_text="1 to 720, counted back from the running clock hour")

    def validate_hours(self, value: int) -> int:
        return clamp(value, 1, MAX_HOURS)


class ModelQuery(WindowQuery):
    """A window of one model or provider, if they are named."""

    model = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)
    provider = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)


def refuse_when_off() -> None:
    """While the section is off its endpoints do not exist, whoever asks (contract 0.6). Raises ApiError 404."""
    if not settings.BLOOP.llm_tracing.enabled:
        raise ApiError("not found", status=404)


class LlmView(ScopedView):
    """A query endpoint. With `llm_tracing.enabled` off it does not exist."""

    scopes: ClassVar[tuple[str, ...]] = ("llm:read", "errors:read")

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """As `refuse_when_off`."""
        refuse_when_off()
        super().initial(request, *args, **kwargs)

    def window(self, request: Request, query: dict[str, Any]) -> Window:
        """The window of a checked query, over the caller's projects."""
        return Window(
            reach=self.reach(request),
            hours=query["hours"],
            now_ms=now_ms(),
            model=query.get("model", ""),
            provider=query.get("provider", ""),
        )
