"""What traces tell to what may name them (projects.crosslinks)."""

from collections.abc import Sequence

from django.conf import settings

from llmtraces.links import trace_url
from llmtraces.models import Trace


def known_urls(*, project_id: str, trace_ids: Sequence[str]) -> dict[str, str]:
    """The pages of those traces that are there, by id; none while the section is off. One query."""
    if not settings.BLOOP.llm_tracing.enabled:
        return {}
    rows = Trace.objects.filter(project=project_id, trace_id__in=trace_ids, is_known=True)
    return {trace_id: trace_url(slug, trace_id) for trace_id, slug in rows.values_list("trace_id", "project__slug")}
