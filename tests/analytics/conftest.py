"""A shop whose errors Insights has something to say of."""

from typing import Any

import pytest

from bloop_site.lib.clock import HOUR_MS, MINUTE_MS
from errors.services.packs import pack_hours
from projects.models import Project
from projects.services.projects import NewProject
from tests.errors.hours import T
from tests.factories import event_json, record

HOURS = 72
NOW = T + (HOURS - 1) * HOUR_MS + 30 * MINUTE_MS  # T is the first of the last 72 hours


def send(project: Project, hour: int, *fingerprints: str, times: int = 1, **fields: Any) -> None:
    """So many events of each in the `hour`-th hour from T on."""
    events = [event_json(**{"fingerprint": each, "message": each, **fields}) for each in fingerprints]
    record(project, *(events * times), received_ms=T + hour * HOUR_MS + 5)


@pytest.fixture(params=["unpacked", "packed"])
def packed(request: pytest.FixtureRequest) -> Any:
    """What a test calls when everything has happened: with packs and without, all answers are the same."""
    return (lambda: pack_hours(now_ms=NOW, seconds=30)) if request.param == "packed" else (lambda: None)


@pytest.fixture
def spiky(shop: NewProject) -> NewProject:
    """`a`: 2 an hour, 40 in the 30th, 12 in the 31st. `b`: every third hour 5. `once`: a single event."""
    for hour in range(HOURS):
        send(shop.project, hour, "a", times={30: 40, 31: 12}.get(hour, 2))
        if hour % 3 == 0:
            send(shop.project, hour, "b", times=5)
    send(shop.project, 50, "once")
    return shop
