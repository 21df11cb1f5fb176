"""Issues that another one might be merged into."""

import re
from collections.abc import Iterable
from urllib.parse import unquote

from django.db.models import Q

from bloop_site.lib.paths import without_marks
from errors.models import Issue
from errors.models.issues import LISTED
from errors.queries.issues import find_issue

MAX_CANDIDATES = 20
MAX_LOOK = 5_000  # the project's newest issues, among which similar ones are sought


def candidates(issue: Issue, text: str) -> list[Issue]:
    """Up to 20 issues of the same project, the likeliest first; never the issue itself nor one that is merged away.

    text: a fingerprint or an address of an issue, which leads; or words of type or message; empty: the issues of the
    same type, then the latest seen.
    """
    listed = Issue.objects.filter(LISTED, project=issue.project_id).exclude(pk=issue.pk)
    others = listed.order_by("-last_seen_ms", "-pk")
    if text:
        named = find_issue(project_id=issue.project_id, fingerprint=fingerprint_in(text))
        matching = others.filter(Q(error_type__icontains=text) | Q(message__icontains=text))[:MAX_CANDIDATES]
        return first_ones([*([named] if named and named.pk != issue.pk else []), *matching])
    newest = others.values("pk")[:MAX_LOOK]
    similar = Issue.objects.filter(pk__in=newest, error_type=issue.error_type).order_by("-last_seen_ms", "-pk")
    return first_ones([*similar[:MAX_CANDIDATES], *others[:MAX_CANDIDATES]])


def first_ones(issues: Iterable[Issue]) -> list[Issue]:
    """The first 20, each once."""
    return list({issue.pk: issue for issue in issues}.values())[:MAX_CANDIDATES]


def fingerprint_in(text: str) -> str:
    """The fingerprint in the address of an issue's page; any other text as it is."""
    address = re.match(r"(?:https?://[^/]+)?/errors/[a-z0-9-]+/([^?#]+)", text)
    return without_marks(unquote(address[1])) if address else text
