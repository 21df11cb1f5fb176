"""Values of issues in order, the greatest first, and the issues' names. Equal ones by fingerprint, then by project."""

from typing import TYPE_CHECKING

from errors.queries.insights import NamedIssue, first_by_fingerprint, named_issues

if TYPE_CHECKING:
    from analytics.finding import Floats, Integers


def ranked(values: "Floats | Integers", issue_ids: "Integers", *, limit: int) -> list[tuple[int, NamedIssue]]:
    """The indexes of the `limit` greatest values, in order, with the issues they are of; an issue may have several.

    issue_ids: of each value. Of equal values of one issue the last comes first.
    """
    from analytics.finding import contenders  # noqa: PLC0415

    sure, tied = contenders(values, limit=limit)
    ids_of_tied = issue_ids[tied].tolist()
    first = set(first_by_fingerprint(sorted(set(ids_of_tied)), limit=limit - len(sure)))
    chosen = sure.tolist() + [at for at, pk in zip(tied.tolist(), ids_of_tied, strict=True) if pk in first]
    names = named_issues(issue_ids[chosen].tolist())
    found = [(at, names[issue_ids[at]]) for at in chosen if issue_ids[at] in names]
    found.sort(key=lambda each: (-values[each[0]], each[1].fingerprint, each[1].project_id, -each[0]))
    return found[:limit]
