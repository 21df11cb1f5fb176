"""What a project has decided about its traces."""

from django.conf import settings

from llmtraces.models import LlmSettings


def policy_of(project_id: str) -> str:
    """The content policy that holds for the project now: its own, else `llm_tracing.default_content_storage` (8.2).

    Asked for each request, never remembered: a stricter policy holds from its first moment.
    """
    own = LlmSettings.objects.filter(project_id=project_id).values_list("content_storage", flat=True).first()
    return own or settings.BLOOP.llm_tracing.default_content_storage
