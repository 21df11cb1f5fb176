"""Rotating a key (contract 5.1): the old one ends at once in every process, or after its grace period."""

import re
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.audit import COMMAND_LINE
from accounts.models import Role
from ingest.authentication import known_owners, recent_keys
from projects.models import IngestKey, Project
from projects.queries import keys_of
from projects.services.keys import MAX_GRACE_SECONDS, rotate_key
from projects.services.locking import ProjectGone
from projects.services.projects import NewProject
from projects.services.removal import request_removal
from tests.factories import make_project, make_user, post_signed
from tests.ingest.conftest import at_once
from tests.projects.conftest import SignIn

EVENT = b'{"error_type": "E"}'


def rotate(client: Client, query: str = "", slug: str = "shop") -> Any:
    return client.post(f"/v1/projects/{slug}/rotate-key{query}")


def status_with(key: str, **more: Any) -> int:
    return int(post_signed(Client(), "/v1/ingest", EVENT, key=key, **more).status_code)


def test_the_new_key_works_and_the_old_one_does_not(admin_client: Client, shop: NewProject):
    assert status_with(shop.api_key) == 200, "and this process remembers whose it is"

    answer = rotate(admin_client)

    made = answer.json()
    assert answer.status_code == 200
    assert made.keys() == {"id", "name", "slug", "created_at", "created_by", "api_key"}
    assert re.fullmatch(r"bloop_[0-9a-f]{64}", made["api_key"])
    assert [status_with(shop.api_key), status_with(shop.api_key, project_key="")] == [401, 401]
    assert [status_with(made["api_key"]), status_with(made["api_key"], project_key="")] == [200, 200]
    assert [key.key for key in shop.project.keys.all()] == [made["api_key"]], "an ended key is not kept"


def test_a_process_that_knew_the_old_key_refuses_it_as_well(admin_client: Client, shop: NewProject):
    """What a process remembers of keys is put back as it was, as in a second process that heard of nothing."""
    for named in (shop.api_key, ""):
        assert status_with(shop.api_key, project_key=named) == 200
    remembered, recent = dict(known_owners.owners), dict(recent_keys.keys)
    assert shop.api_key in remembered
    assert shop.api_key in recent

    rotate(admin_client)
    known_owners.owners.update(remembered)
    recent_keys.keys.update(recent)

    assert [status_with(shop.api_key, project_key=named) for named in (shop.api_key, "")] == [401, 401]


def test_with_grace_both_work_until_its_end(admin_client: Client, shop: NewProject):
    made = rotate(admin_client, "?grace_secs=600").json()

    assert [status_with(key) for key in (shop.api_key, made["api_key"])] == [200, 200]
    assert status_with(shop.api_key, project_key="") == 200
    IngestKey.objects.filter(key=shop.api_key).update(expires_at=timezone.now())
    assert [status_with(key) for key in (shop.api_key, made["api_key"])] == [401, 200]
    assert status_with(shop.api_key, project_key="") == 401


def test_the_grace_period_is_as_long_as_was_asked(shop: NewProject):
    now = timezone.now()

    rotate_key(project=shop.project, grace_seconds=90, actor=COMMAND_LINE, now=now)

    newest, old = keys_of(shop.project, now=now)
    assert (newest.expires_at, old.key, old.expires_at) == (None, shop.api_key, now + timedelta(seconds=90))
    assert [key.pk for key in keys_of(shop.project, now=now + timedelta(seconds=90))] == [newest.pk]


def test_a_second_rotation_lengthens_no_grace_and_without_one_ends_all(shop: NewProject):
    now = timezone.now()
    second = rotate_key(project=shop.project, grace_seconds=60, actor=COMMAND_LINE, now=now)
    rotate_key(project=shop.project, grace_seconds=3600, actor=COMMAND_LINE, now=now)

    ends = {key.key: key.expires_at for key in keys_of(shop.project, now=now)}
    last = rotate_key(project=shop.project, grace_seconds=0, actor=COMMAND_LINE, now=now)

    assert ends[shop.api_key] == now + timedelta(seconds=60)
    assert ends[second] == now + timedelta(seconds=3600)
    assert [key.key for key in shop.project.keys.all()] == [last]


def test_keys_whose_grace_is_over_are_cleared_away(shop: NewProject):
    now = timezone.now()
    rotate_key(project=shop.project, grace_seconds=60, actor=COMMAND_LINE, now=now)

    rotate_key(project=shop.project, grace_seconds=60, actor=COMMAND_LINE, now=now + timedelta(seconds=61))

    assert not IngestKey.objects.filter(key=shop.api_key).exists()


@pytest.mark.parametrize("grace", ["0", "1", str(MAX_GRACE_SECONDS)])
def test_a_grace_period_may_have_thirty_days(grace: str, admin_client: Client, shop: NewProject):
    assert rotate(admin_client, f"?grace_secs={grace}").status_code == 200


@pytest.mark.parametrize(
    "grace", ["", "-1", str(MAX_GRACE_SECONDS + 1), "abc", "1.5", "1e3", "NaN", "9" * 400, "%00", "1;2", "true"]
)
def test_a_bad_grace_period_changes_no_key(grace: str, admin_client: Client, shop: NewProject):
    answer = rotate(admin_client, f"?grace_secs={grace}")

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("grace_secs: ")
    assert [key.key for key in shop.project.keys.all()] == [shop.api_key]


def test_the_default_project_rotates_too(admin_client: Client, default_project: Project):
    before = default_project.keys.get().key

    made = rotate(admin_client, slug="default").json()

    assert [status_with(before), status_with(made["api_key"])] == [401, 200]


def test_a_project_being_removed_gets_no_new_key(shop: NewProject):
    request_removal(project=shop.project, actor=COMMAND_LINE, now=timezone.now())

    with pytest.raises(ProjectGone):
        rotate_key(project=shop.project, grace_seconds=0, actor=COMMAND_LINE, now=timezone.now())

    assert not IngestKey.objects.filter(project=shop.project).exists()


def test_nothing_signed_with_the_old_key_is_taken_once_the_rotation_was_answered(
    shared_database: None, sign_in: SignIn
):
    shop, admin = make_project(slug="shop"), make_user(role=Role.ADMIN)
    client = sign_in(admin)
    answered = threading.Event()
    started = threading.Barrier(3, timeout=20)
    new: dict[str, str] = {}

    def keep_sending() -> list[tuple[bool, int]]:
        """Whether the rotation had been answered before each request was sent, and its status."""
        seen = [(False, status_with(shop.api_key))]
        started.wait()
        while len([late for late, _ in seen if late]) < 3:
            seen.append((answered.is_set(), status_with(shop.api_key)))
        return seen

    def rotate_meanwhile() -> None:
        started.wait()
        new["key"] = rotate(client).json()["api_key"]
        answered.set()

    *seen, _ = at_once([keep_sending, keep_sending, rotate_meanwhile])

    for each in seen:
        assert each[0] == (False, 200)
        assert {status for late, status in each if late} == {401}
    assert status_with(new["key"]) == 200


def test_rotations_at_the_same_moment_leave_one_key(shared_database: None, sign_in: SignIn):
    shop, admin = make_project(slug="shop"), make_user(role=Role.ADMIN)
    clients = [sign_in(admin) for _ in range(4)]

    def turn(client: Client) -> Any:
        return lambda: rotate(client).json()["api_key"]

    keys = at_once([turn(client) for client in clients])

    assert len(set(keys)) == 4
    assert shop.project.keys.get().key in keys
