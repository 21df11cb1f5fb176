"""From an address to the issue it means."""

from django.http import Http404

from accounts.http import PageRequest
from errors.models import Issue
from errors.queries import issues
from projects.access import project_by_slug

MAX_DIGITS = 18  # below 2**63


def issue_or_404(request: PageRequest, project_slug: str, fingerprint: str) -> Issue:
    """The user's issue, or the one that shows it. Raises Http404."""
    project = project_by_slug(request.user, project_slug)
    issue = issues.find_issue(project_id=project.pk, fingerprint=fingerprint)
    if issue is None:
        msg = "no such issue"
        raise Http404(msg)
    return issue


def number_in(value: str | None) -> int | None:
    """A number of a row, as an address or a form has it; nonsense is None."""
    is_number = value is not None and value.isascii() and value.isdecimal() and len(value) <= MAX_DIGITS
    return int(value) if value is not None and is_number else None
