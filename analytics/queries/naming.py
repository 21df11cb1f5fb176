"""Values of issues in order, the greatest first, and the issues' names."""

from typing import TYPE_CHECKING

from errors.queries.insights import NamedIssue, first_by_fingerprint, named_issues

if TYPE_CHECKING:
    from analytics.finding import Floats, Integers


def ranked(
    values: "Floats | Integers", issue_ids: "Integers", *, limit: int, weights: "Integers | None" = None
) -> list[tuple[int, NamedIssue]]:
    """The indexes of the `limit` greatest values, in order, with the issues they are of; an issue may have several.

    issue_ids: of each value. weights: of each value; of equal values the heaviest come first. Equal ones stand by
    fingerprint, then by project; of one issue the last comes first.
    """
    import numpy as np  # noqa: PLC0415

    from analytics.finding import contenders  # noqa: PLC0415

    heavy = np.zeros(len(values), dtype=np.int64) if weights is None else weights
    sure, level = contenders(values, limit=limit)
    heavier, tied = (level[these] for these in contenders(heavy[level], limit=limit - len(sure)))
    ids_of_tied = issue_ids[tied].tolist()
    places = limit - len(sure) - len(heavier)
    first = set(first_by_fingerprint(sorted(set(ids_of_tied)), limit=places))
    last = [at for at, pk in zip(tied.tolist(), ids_of_tied, strict=True) if pk in first]
    chosen = [*sure.tolist(), *heavier.tolist(), *last]
    names = named_issues(issue_ids[chosen].tolist())
    found = [(at, names[issue_ids[at]]) for at in chosen if issue_ids[at] in names]
    found.sort(key=lambda each: (-values[each[0]], -heavy[each[0]], each[1].fingerprint, each[1].project_id, -each[0]))
    return found[:limit]
