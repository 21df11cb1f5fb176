"""What a project has decided about its traces."""

from dataclasses import dataclass

from django.conf import settings

from accounts.audit import Action
from accounts.models import AuditEntry
from bloop_site.lib.clock import to_ms
from llmtraces.models import LlmSettings


@dataclass(frozen=True)
class Decided:
    """The policy that holds, and what is masked. is_own: the project says so itself, not the server."""

    policy: str
    is_own: bool
    mask_kinds: tuple[str, ...] = ()
    mask_expressions: tuple[str, ...] = ()


def decided_by(project_id: str) -> Decided:
    """What holds for the project now: its own policy, else `llm_tracing.default_content_storage` (8.2). One query.

    Asked for each request, never remembered: a stricter policy holds from its first moment.
    """
    rows = LlmSettings.objects.filter(project_id=project_id)
    row = rows.values_list("content_storage", "mask_patterns", "mask_expressions").first()
    own, kinds, expressions = row or ("", [], [])
    policy = own or settings.BLOOP.llm_tracing.default_content_storage
    return Decided(policy, bool(own), tuple(kinds), tuple(expressions))


def policy_of(project_id: str) -> str:
    """The content policy that holds for the project now."""
    return decided_by(project_id).policy


def policy_changed(project_id: str) -> tuple[int, str] | None:
    """When the project's policy was last changed, in epoch milliseconds, and by whom; None if it never was."""
    entries = AuditEntry.objects.filter(action=Action.LLM_POLICY_CHANGED, project_id=project_id).order_by("-id")
    entry = entries.values_list("at", "actor_name").first()
    return (to_ms(entry[0]), entry[1]) if entry else None
