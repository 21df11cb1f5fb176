"""When the worker is told that something waits. That a message really gets there is for tests/journeys."""

import threading
import time

import pytest
from django.conf import LazySettings

from ingest.nudge import Nudge


class Recorder(Nudge):
    """A nudge whose messages are moments in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[float] = []
        self.first = threading.Event()

    def send(self) -> None:
        self.sent.append(time.monotonic())
        self.first.set()


@pytest.fixture
def half_interval(settings: LazySettings) -> float:
    return float(settings.BLOOP.pipeline.flush_interval_secs) / 2


def test_a_full_batch_is_told_at_once(settings: LazySettings, half_interval: float):
    nudge = Recorder()
    began = time.monotonic()

    nudge.add(settings.BLOOP.pipeline.flush_batch_size)

    assert nudge.first.wait(half_interval * 3)
    assert nudge.sent[0] - began < half_interval * 0.9


def test_a_single_item_is_told_after_half_the_interval(half_interval: float):
    nudge = Recorder()
    began = time.monotonic()

    nudge.add(1)

    assert nudge.first.wait(half_interval * 3)
    assert nudge.sent[0] - began >= half_interval * 0.9


def test_many_small_items_make_one_message(settings: LazySettings, half_interval: float):
    nudge = Recorder()

    for _ in range(settings.BLOOP.pipeline.flush_batch_size - 1):
        nudge.add(1)

    assert nudge.first.wait(half_interval * 3)
    time.sleep(0.05)
    assert (len(nudge.sent), nudge.count) == (1, 0)
