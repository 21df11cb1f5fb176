"""Errors whose events name an LLM trace."""

from django.db.models import F
from django.db.models.functions import Coalesce, Left

from errors.links import issue_url
from errors.models import Event
from projects.crosslinks import Link

LOOKED_AT = 200  # of the newest events: one issue may have named a trace many times
MESSAGE = 300  # characters


def errors_naming(*, project_id: str, trace_id: str, limit: int) -> list[Link]:
    """The issues with such events, that of the newest first, each with a link to its newest one. One query."""
    rows = Event.objects.filter(project=project_id, trace_id=trace_id).order_by("-id")
    shown = rows.values_list(
        Coalesce("issue__merged_into__fingerprint", "issue__fingerprint"),
        F("project__slug"),
        "id",
        "error_type",
        Left("message", MESSAGE),
        "timestamp_ms",
    )
    links: dict[str, Link] = {}
    for fingerprint, slug, event_id, error_type, message, at_ms in shown[:LOOKED_AT]:
        url = f"{issue_url(slug, fingerprint)}?event={event_id}"
        links.setdefault(fingerprint, Link(error_type, url, message, at_ms))
    return list(links.values())[:limit]
