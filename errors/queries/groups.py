"""Issues merged by hand: one is shown, and owns the status; the others' events, counts and notes count as its own."""

from collections.abc import Iterable, Sequence

from errors.models import Issue


def group_ids(issue: Issue) -> list[int]:
    """The shown issue's id, then those merged into it."""
    return [issue.pk, *Issue.objects.filter(merged_into=issue).order_by("pk").values_list("pk", flat=True)]


def shown_by(issue_ids: Sequence[int]) -> dict[int, int]:
    """Each of these shown issues and all that is merged into them, to the one that shows it; in one query."""
    merged = Issue.objects.filter(merged_into__in=issue_ids).values_list("pk", "merged_into_id")
    return {**{pk: pk for pk in issue_ids}, **dict(merged)}


def shown(issues: Iterable[Issue]) -> list[Issue]:
    """Each issue, or the one it is merged into, once, in their order. `merged_into` should be loaded."""
    return list({each.pk: each for each in (issue.merged_into or issue for issue in issues)}.values())
