"""Hourly counts in few bytes, read without copying: records of an issue in an environment, six hours each."""

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

SPAN_HOURS: Final = 6
MAX_COUNT: Final = 2**32 - 1  # events an hour that a record can say; more than a million a second
RECORD: Final = np.dtype([("issue_id", "<i8"), ("environment", "<u4"), ("counts", "<u4", (SPAN_HOURS,))])

Integers = NDArray[np.int64]
Records = NDArray[np.void]


def packed(*, issue_ids: Integers, environments: Integers, hours: Integers, counts: Integers) -> bytes:
    """Rows of counts as records, one for each issue and environment, by environment, then issue.

    Four arrays of the same length. environments: indexes into a list of names that is kept beside; hours: 0 to 5 within
    the span; counts: events. What falls on the same issue, environment and hour is summed.
    """
    if not len(issue_ids):
        return b""
    order = np.lexsort((issue_ids, environments))
    ids, places = issue_ids[order], environments[order]
    is_first = np.ones(len(ids), dtype=bool)
    is_first[1:] = (ids[1:] != ids[:-1]) | (places[1:] != places[:-1])
    table = np.zeros((int(is_first.sum()), SPAN_HOURS), dtype=np.int64)
    np.add.at(table, (np.cumsum(is_first) - 1, hours[order]), counts[order])
    records = np.zeros(len(table), dtype=RECORD)
    records["issue_id"], records["environment"] = ids[is_first], places[is_first]
    records["counts"] = np.minimum(table, MAX_COUNT)
    return records.tobytes()


def unpacked(data: bytes | memoryview) -> Records:
    """The records of `packed`, as a read-only view of these bytes. SQLite answers bytes, PostgreSQL a memoryview."""
    return np.frombuffer(data, dtype=RECORD)


def by_environment(records: Records) -> list[tuple[int, Records]]:
    """The records of each environment, with its index; an issue is at most once in each, by ascending id."""
    places = records["environment"]
    starts = [0, *(np.flatnonzero(places[1:] != places[:-1]) + 1).tolist(), len(records)]
    return [(int(places[low]), records[low:high]) for low, high in pairwise(starts) if low < high]
