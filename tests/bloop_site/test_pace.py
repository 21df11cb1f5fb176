"""Chunks that take about as long as they should, whatever the rows cost."""

import pytest

from bloop_site.lib.pace import CHUNK_SECONDS, CHUNKS_A_COPY, FIRST_ROWS, MAX_ROWS, MIN_ROWS, Pace


@pytest.mark.parametrize(
    ("times_as_long", "rows"),
    [(1, FIRST_ROWS), (0.5, 150), (0.000_1, 150), (2, 50), (1_000, MIN_ROWS)],
)
def test_chunks_grow_and_shrink_with_the_time_they_take(times_as_long: float, rows: int):
    pace = Pace()

    pace.note(times_as_long * CHUNK_SECONDS)

    assert pace.rows == rows


def test_a_series_may_ask_for_shorter_chunks():
    pace = Pace(chunk_seconds=CHUNK_SECONDS / 2)

    pace.note(CHUNK_SECONDS)

    assert pace.rows == FIRST_ROWS // 2


def test_a_series_may_leave_others_longer(monkeypatch: pytest.MonkeyPatch):
    slept: list[float] = []
    monkeypatch.setattr("bloop_site.lib.pace.time.sleep", slept.append)

    Pace(rest_times=2.0).rest(0.01)

    assert slept == [0.02]


def test_chunks_never_grow_without_end():
    pace = Pace()

    for _ in range(100):
        pace.note(0.0)

    assert pace.rows == MAX_ROWS


def test_others_get_as_long_as_a_chunk_took_and_the_log_is_copied_back_now_and_then(monkeypatch: pytest.MonkeyPatch):
    slept: list[float] = []
    copies: list[int] = []
    monkeypatch.setattr("bloop_site.lib.pace.time.sleep", slept.append)
    monkeypatch.setattr("bloop_site.lib.pace.copy_back", lambda: copies.append(len(slept)))
    pace = Pace()

    for took in [0.02, 5.0] * CHUNKS_A_COPY:
        pace.rest(took)

    assert set(slept) == {0.02, 0.1}, "never longer than a tenth of a second"
    assert copies == [CHUNKS_A_COPY - 1, 2 * CHUNKS_A_COPY - 1]
