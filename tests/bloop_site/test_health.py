"""`/health` for container checks and `/health/ready` for balancers (contract 4.9)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import InterfaceError, OperationalError, connection
from django.test import Client

from bloop_site.health import Health
from bloop_site.lib.clock import now_ms
from ingest import buffer
from ingest.models import DeadPayload
from projects.models import DEFAULT_ID, Project
from projects.services.projects import NewProject
from tests.wsgi import ask


@contextmanager
def failing(error: type[Exception]) -> Iterator[None]:
    """A database that answers every statement with `error`."""

    def fail(*_: Any) -> Any:
        raise error

    with connection.execute_wrapper(fail):
        yield


def keep(items: int, *, age_ms: int = 0) -> None:
    body, at = b"[]", now_ms() - age_ms
    buffer.append(kind="errors", project_id=DEFAULT_ID, body=body, items=items, now_ms=at)


@pytest.fixture
def capacity(settings: LazySettings) -> int:
    """A buffer for 100 items."""
    ingest = settings.BLOOP.ingest.model_copy(update={"channel_capacity": 100})
    settings.BLOOP = settings.BLOOP.model_copy(update={"ingest": ingest})
    return 100


def test_all_is_well(client: Client, default_project: Project):
    answer, ready = client.get("/health"), client.get("/health/ready")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "db_ok": True, "buffer_usage": 0.0})
    assert ready.status_code == 200
    assert ready.json()["words"] == "All systems working"


def test_usage_is_the_backlog_over_the_capacity(client: Client, default_project: Project, capacity: int):
    keep(25)

    assert client.get("/health").json() == {"status": "ok", "db_ok": True, "buffer_usage": 0.25}


def test_a_nearly_full_buffer_is_degraded(client: Client, default_project: Project, capacity: int):
    keep(90)

    answer, ready = client.get("/health"), client.get("/health/ready")

    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert (ready.status_code, ready.json()["words"]) == (503, "Buffer 90% full")


def test_events_that_wait_over_a_minute_are_degraded(client: Client, default_project: Project):
    keep(1, age_ms=61_000)

    ready = client.get("/health/ready")

    assert (ready.status_code, ready.json()["status"]) == (503, "degraded")
    assert ready.json()["oldest_unflushed_ms"] >= 61_000
    assert ready.json()["words"] == "Events wait 61 s"


def test_dead_letters_are_told_and_do_not_take_the_service_down(client: Client, shop: NewProject):
    DeadPayload.objects.create(
        kind="errors", project_id=shop.project.pk, body=b"", items=3, received_ms=1, buried_ms=1, reason="x"
    )

    ready = client.get("/health/ready").json()

    assert (ready["status"], ready["dead_letters"], ready["words"]) == ("ok", 3, "3 events could not be stored")


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_failing_database_is_said_and_not_raised(error: type[Exception], client: Client, db: None):
    with failing(error):
        answer, ready = client.get("/health"), client.get("/health/ready")

    assert (answer.status_code, answer.json()) == (200, {"status": "degraded", "db_ok": False, "buffer_usage": 0.0})
    assert (ready.status_code, ready.json()["db_ok"]) == (503, False)
    assert ready.json()["words"] == "Database unreachable"


@pytest.mark.parametrize("path", ["/health", "/health/", "//health", "/health/ready"])
def test_health_asks_for_nothing_and_is_never_cached(path: str, db: None):
    answer = ask("GET", path, headers={"Cookie": "session=stale-session", "Authorization": "Bearer stale"})

    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"


def test_health_answers_head_and_refuses_writing(client: Client, db: None):
    assert (client.head("/health").status_code, client.head("/health").content) == (200, b"")
    refused = client.post("/health")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("health", "ok"),
    [
        (Health(db_ok=True), True),
        (Health(db_ok=False), False),
        (Health(db_ok=True, buffer_usage=0.8999), True),
        (Health(db_ok=True, buffer_usage=0.9), False),
        (Health(db_ok=True, oldest_ms=59_999), True),
        (Health(db_ok=True, oldest_ms=60_000), False),
        (Health(db_ok=True, dead=9), True),
    ],
)
def test_what_counts_as_well(health: Health, ok: bool):  # noqa: FBT001
    assert health.is_ok is ok


def test_the_frame_of_every_page_says_how_things_are(admin_client: Client, default_project: Project, capacity: int):
    keep(95)

    assert "Buffer 95% full" in admin_client.get("/errors").content.decode()
