"""From an address to the issue it means."""

from django.http import Http404

from accounts.http import PageRequest
from errors.models import Issue
from errors.queries import issues
from projects.access import project_by_slug


def issue_or_404(request: PageRequest, project_slug: str, fingerprint: str) -> Issue:
    """The user's issue, or the one that shows it. Raises Http404."""
    project = project_by_slug(request.user, project_slug)
    issue = issues.find_issue(project_id=project.pk, fingerprint=fingerprint)
    if issue is None:
        msg = "no such issue"
        raise Http404(msg)
    return issue
