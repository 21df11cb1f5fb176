"""Addresses of pages that are named by what clients sent."""

from urllib.parse import urlencode

from django.urls import reverse


def release_url(project_slug: str, name: str) -> str:
    """The page of a release. The name stands in the query: in a path, browsers take `..` and `a/b` for folders."""
    return f"{reverse('errors:release', args=[project_slug])}?{urlencode({'name': name})}"


def issue_url(project_slug: str, fingerprint: str) -> str:
    """The page of an issue."""
    return reverse("errors:detail", args=[project_slug, fingerprint])
