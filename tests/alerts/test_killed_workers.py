"""Real processes, killed by SIGKILL over a message: what another worker makes of it (docs/alerts.md, At least once)."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection

from alerts.models import Delivery
from alerts.services.deliver import deliver_due
from alerts.services.outbox import queue_deliveries
from projects.services.projects import NewProject
from tests.alerts.factories import NOW_MS, make_channel, make_firing, make_rule
from tests.alerts.sinks import Sink, answering
from tests.ingest.conftest import shared_database

__all__ = ["shared_database"]
MINUTE = 60_000
WORKER = f"""
import os, signal, django
django.setup()
from alerts.services import claims, deliver

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

{{patch}} = die
deliver.deliver_due(now_ms={NOW_MS}, seconds=5)
"""


def database_of_the_test() -> dict[str, str]:
    """What leads another process to the database this test uses."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return {"BLOOP__DATABASE__PATH": name}
    return {"DATABASE_URL": urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()}


def killed_worker(patch: str) -> None:
    """A worker of its own sends what is due, and is gone when it comes to `patch`."""
    env = {
        **os.environ,
        **database_of_the_test(),
        "DJANGO_SETTINGS_MODULE": "bloop_site.settings",
        "BLOOP__ALERTING__ALLOW_PRIVATE_ADDRESSES": "true",
    }
    argv = [sys.executable, "-c", WORKER.format(patch=patch)]
    done = subprocess.run(argv, cwd=settings.BASE_DIR, env=env, capture_output=True, timeout=180, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.fixture
def delivery(
    shared_database: None, private_allowed: None, shop: NewProject, sinks: Callable[..., Sink]
) -> tuple[Delivery, Sink]:
    sink = sinks(answering(200))
    rule = make_rule(shop.project)
    make_channel(rule, sink.url())
    (pk,) = queue_deliveries(make_firing(rule, shop.project), now_ms=NOW_MS)
    return Delivery.objects.get(pk=pk), sink


def another_worker(delivery: Delivery) -> None:
    """Nothing to do for it until the claim has ended."""
    assert deliver_due(now_ms=NOW_MS + MINUTE // 2, seconds=5) is not None
    assert deliver_due(now_ms=NOW_MS + MINUTE + 10_000, seconds=5) is None
    assert deliver_due(now_ms=NOW_MS + 10 * MINUTE, seconds=5) is None
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("sent", 2)


def test_killed_between_claim_and_sending_a_message_is_sent_once(delivery: tuple[Delivery, Sink]):
    row, sink = delivery

    killed_worker("deliver.Round.start")

    row.refresh_from_db()
    assert (row.state, row.attempts, sink.got) == ("pending", 1, [])
    another_worker(row)
    assert len(sink.got) == 1


def test_killed_between_sending_and_writing_it_down_a_message_comes_twice_with_one_id(delivery: tuple[Delivery, Sink]):
    row, sink = delivery

    killed_worker("claims.settle")

    row.refresh_from_db()
    assert (row.state, row.attempts, len(sink.got)) == ("pending", 1, 1)
    another_worker(row)
    assert len(sink.got) == 2
    assert len({got.json["delivery_id"] for got in sink.got}) == 1
