"""The status machine: any status to any other, each change with its Transition (contract 3.2, 3.3)."""

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from errors.models import Issue, Status, Transition


@dataclass(frozen=True)
class Actor:
    """Who changes something: a user, or a token by its name and its creator."""

    user_id: UUID | None
    token_name: str | None = None


class IssueGone(Exception):
    """The issue does not exist (any more)."""


def change_status(*, issue_id: int, status: str, actor: Actor, now_ms: int) -> bool:
    """Set an issue's status; False when it had it already, which writes nothing.

    Writes the issue and one Transition in one transaction; the row is locked, so that two people, or a person and a
    flush, follow each other and the history tells who came last. Raises IssueGone; ValueError for an unknown status.
    """
    new_status = Status(status)
    with transaction.atomic():
        issue = Issue.objects.select_for_update().filter(pk=issue_id).first()
        if issue is None:
            raise IssueGone
        if issue.status == new_status:
            return False
        Transition.objects.create(
            issue=issue,
            project_id=issue.project_id,
            old_status=issue.status,
            new_status=new_status,
            cause=Transition.Cause.CALL,
            changed_by_id=actor.user_id,
            token_name=actor.token_name,
            changed_ms=now_ms,
        )
        issue.status, issue.status_changed_ms, issue.regressed_ms = new_status, now_ms, None
        issue.save(update_fields=["status", "status_changed_ms", "regressed_ms"])
    return True
