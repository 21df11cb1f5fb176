"""Fixtures every test may use. Each test has its own transaction; journeys run real processes instead."""

import re
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import hypothesis
import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.test import Client

from accounts import attempts
from accounts.models import User
from accounts.throttle import Limit, Throttle
from alerts import delivery_tasks
from alerts.receivers import nudge as alerts_nudge
from bloop_site.lib.clock import HOUR_MS, SECOND_MS, now_ms
from ingest import buffer
from ingest.authentication import known_owners, recent_keys
from ingest.nudge import nudge
from ingest.refusals import refusals
from projects import tasks as project_tasks  # not its task: whoever looks at a task finalises Celery
from projects.models import DEFAULT_ID, Project
from projects.services.projects import NewProject
from tests.access import World, standing_world
from tests.factories import make_admin, make_project, make_user

# A busy machine is not a failure.
hypothesis.settings.register_profile("bloop", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("bloop")
MOMENT = re.compile(r"\b1[789]\d{11}\b")  # epoch ms


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """No test is named after a moment: at the turn of an hour the processes of a run would collect different tests."""
    return argname if isinstance(val, int | str) and MOMENT.search(str(val)) else None


@pytest.fixture(autouse=True)
def room_in_the_hour() -> None:
    """No test begins in the last seconds of an hour (a day, a month): what it counts by the hour stays in one."""
    left_ms = HOUR_MS - now_ms() % HOUR_MS
    if left_ms < 5 * SECOND_MS:
        time.sleep((left_ms + 1) / SECOND_MS)


@pytest.fixture(autouse=True)
def fresh_process_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing a process remembers between requests leaks from one test into the next; no worker listens for nudges or
    writes counts by itself.
    """
    monkeypatch.setattr(nudge, "add", lambda items: None)
    monkeypatch.setattr(alerts_nudge, "add", lambda *, is_urgent: None)
    monkeypatch.setattr(refusals, "start", lambda: None)
    refusals.take()
    for task in ("remove_projects", "purge"):
        monkeypatch.setattr(project_tasks, task, SimpleNamespace(apply_async=lambda **_: None))
    monkeypatch.setattr(delivery_tasks, "deliver", SimpleNamespace(apply_async=lambda **_: None))
    buffer.backlog.read_at = float("-inf")
    recent_keys.keys.clear()
    known_owners.owners.clear()
    cache.clear()
    Throttle.forget_all()


@pytest.fixture
def shop(db: None) -> NewProject:
    return make_project(name="Shop", slug="shop")


@pytest.fixture
def other(db: None) -> NewProject:
    return make_project(name="Other", slug="other")


@pytest.fixture
def default_project(db: None) -> Project:
    return Project.objects.get(pk=DEFAULT_ID)


@pytest.fixture
def admin(db: None) -> User:
    return make_admin(username="ann")


@pytest.fixture
def member(shop: NewProject) -> User:
    return make_user(username="mia", projects=(shop.project,))


@pytest.fixture
def admin_client(admin: User) -> Client:
    client = Client()
    client.force_login(admin)
    return client


@pytest.fixture
def member_client(member: User) -> Client:
    client = Client()
    client.force_login(member)
    return client


@pytest.fixture
def hmac_secret(settings: LazySettings) -> str:
    return str(settings.HMAC_SECRET)


@pytest.fixture(scope="module")
def standing(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """The world of tests/access.py, made once for a file."""
    with django_db_blocker.unblock(), standing_world() as made:
        yield made


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many attempts from one address, at one account, as a test makes; the limits have tests of their own."""
    for name in ("by_address", "by_account"):
        monkeypatch.setattr(attempts, name, Throttle(Limit(name, rate=10_000, burst=10_000)))


@pytest.fixture
def world(standing: World, db: None, unhurried: None) -> World:
    """The same, as it was made: what a test does to it is rolled back."""
    return standing
