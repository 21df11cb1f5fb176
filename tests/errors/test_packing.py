"""Hourly counts as records: what goes in comes out, summed and in order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from errors.packing import MAX_COUNT, RECORD, SPAN_HOURS, by_environment, packed, unpacked

ROWS = st.lists(
    st.tuples(
        st.integers(min_value=1, max_value=2**62) | st.integers(min_value=1, max_value=4),
        st.integers(min_value=0, max_value=3),
        st.integers(min_value=0, max_value=SPAN_HOURS - 1),
        st.integers(min_value=1, max_value=10**6),
    ),
    max_size=60,
)
Row = tuple[int, int, int, int]


def pack(rows: list[Row]) -> bytes:
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return packed(issue_ids=columns[0], environments=columns[1], hours=columns[2], counts=columns[3])


@given(ROWS)
def test_what_is_packed_comes_out_summed_by_issue_environment_and_hour(rows: list[Row]):
    sums: dict[tuple[int, int], list[int]] = {}
    for issue_id, environment, hour, count in rows:
        sums.setdefault((environment, issue_id), [0] * SPAN_HOURS)[hour] += count

    found = unpacked(pack(rows))

    assert [(int(each["environment"]), int(each["issue_id"])) for each in found] == sorted(sums)
    assert {(int(each["environment"]), int(each["issue_id"])): each["counts"].tolist() for each in found} == sums


@given(ROWS)
def test_records_stand_by_environment_with_each_issue_once_by_ascending_id(rows: list[Row]):
    parts = by_environment(unpacked(pack(rows)))

    assert [place for place, _ in parts] == sorted({row[1] for row in rows})
    for place, records in parts:
        assert set(records["environment"].tolist()) == {place}
        assert records["issue_id"].tolist() == sorted({row[0] for row in rows if row[1] == place})


@given(ROWS, st.randoms())
def test_the_order_of_rows_does_not_matter(rows: list[Row], random):
    shuffled = rows.copy()
    random.shuffle(shuffled)

    assert pack(rows) == pack(shuffled)


def test_a_record_has_thirty_six_bytes_and_nothing_has_none():
    assert RECORD.itemsize == 36
    assert len(pack([(7, 0, 0, 1), (7, 0, 5, 2), (7, 1, 0, 3)])) == 2 * 36
    assert pack([]) == b""
    assert by_environment(unpacked(b"")) == []


def test_reading_copies_nothing_and_takes_what_either_database_answers():
    data = pack([(7, 0, 2, 9)])

    for answer in (data, memoryview(data)):
        records = unpacked(answer)
        assert records["counts"].tolist() == [[0, 0, 9, 0, 0, 0]]
        assert not records.flags.owndata


def test_a_count_that_no_record_can_say_is_held_at_the_most():
    assert unpacked(pack([(7, 0, 0, MAX_COUNT), (7, 0, 0, 5)]))["counts"][0, 0] == MAX_COUNT
