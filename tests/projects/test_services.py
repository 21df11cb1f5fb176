"""Projects, keys and tokens: what may be made, what is kept of it, and the default project (contract 1.1, 5.1, 5.2)."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from projects import queries
from projects.models import DEFAULT_ID, ApiToken, IngestKey, Project
from projects.scopes import SCOPES
from projects.services.projects import NewProject, ProjectInvalid, create_project, ensure_default
from projects.services.tokens import NewToken, TokenInvalid, issue_token, note_token_use
from tests.factories import make_project, make_token, make_user, regroup

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def create(**fields: Any) -> NewProject:
    return create_project(**{"name": "Shop", "slug": "shop", "created_by": None, "now": NOW, **fields})


def issue(project: Project, **fields: Any) -> NewToken:
    defaults: dict[str, Any] = {"name": "ci", "scopes": ("errors:read",), "created_by": None, "now": NOW}
    return issue_token(project=project, **{**defaults, **fields})


# --- Projects ---------------------------------------------------------------------------------------------------


def test_a_project_gets_a_uuid_and_a_key_of_256_random_bits(db: None):
    first, second = create(), create(slug="other")

    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", first.project.pk)
    assert re.fullmatch(r"bloop_[0-9a-f]{64}", first.api_key)
    assert first.api_key != second.api_key
    assert list(first.project.keys.values_list("key", "expires_at")) == [(first.api_key, None)]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": ""}, "name is required"),
        ({"name": "  "}, "name is required"),
        ({"slug": ""}, "slug is required"),
        *(
            ({"slug": slug}, "slug must be lowercase alphanumeric with hyphens")
            for slug in ("Shop", "a b", "a_b", "é", "a/b", "a\n", "x" * 65)
        ),
        ({"slug": "default"}, "a project with that slug already exists"),
        *(
            ({"api_key": key}, "an API key is 1 to 128 printable ASCII characters without spaces")
            for key in ("a b", "é", "a\nb", "x" * 129)
        ),
    ],
)
def test_what_cannot_be_a_project_is_refused_in_the_contracts_words(fields: dict[str, str], reason: str, db: None):
    with pytest.raises(ProjectInvalid) as refused:
        create(**fields)

    assert str(refused.value) == reason
    assert Project.objects.count() == 1


def test_a_key_that_is_in_use_is_refused_and_leaves_no_project_behind(shop: NewProject):
    with pytest.raises(ProjectInvalid, match="already in use"):
        create(slug="second", api_key=shop.api_key)

    assert not Project.objects.filter(slug="second").exists()


def test_a_name_is_trimmed_and_cut(db: None):
    assert create(name=" Shop ").project.name == "Shop"
    assert len(create(name="x" * 300, slug="long").project.name) == 100


def test_grouping_is_chosen_from_what_there_is(shop: NewProject):
    regroup(shop.project, "v2")

    assert queries.grouping_of(shop.project.pk) == "v2"
    with pytest.raises(ProjectInvalid):
        regroup(shop.project, "v3")


# --- The default project ----------------------------------------------------------------------------------------


def with_config(settings: LazySettings, *, secret: str | None, default_key: str | None) -> None:
    auth = settings.BLOOP.auth.model_copy(update={"hmac_secret": secret})
    settings.BLOOP = settings.BLOOP.model_copy(update={"auth": auth, "default_api_key": default_key})


def test_the_default_project_always_exists(default_project: Project):
    assert (default_project.pk, default_project.slug, default_project.name) == ("default", "default", "Default")
    assert default_project.keys.count() == 1


@pytest.mark.parametrize(
    ("secret", "default_key", "expected"),
    [
        ("s" * 40, "from-the-environment", "s" * 40),
        (None, "from-the-environment", "from-the-environment"),
        (None, None, r"bloop_[0-9a-f]{64}"),
    ],
)
def test_its_key_is_the_configured_secret_else_the_variable_else_a_new_one(
    secret: str | None, default_key: str | None, expected: str, settings: LazySettings, db: None
):
    Project.objects.filter(pk=DEFAULT_ID).delete()
    with_config(settings, secret=secret, default_key=default_key)

    ensure_default(now=NOW)

    assert re.fullmatch(expected, IngestKey.objects.get(project_id=DEFAULT_ID).key)


def test_its_key_is_chosen_once(settings: LazySettings, default_project: Project):
    before = default_project.keys.get().key
    with_config(settings, secret="n" * 40, default_key=None)

    ensure_default(now=NOW)

    assert [key.key for key in default_project.keys.all()] == [before]


# --- Keys -------------------------------------------------------------------------------------------------------


def test_a_key_belongs_to_its_project_until_it_ends(shop: NewProject):
    IngestKey.objects.update(expires_at=NOW)

    before = queries.owner_of_key(shop.api_key, now=NOW - timedelta(seconds=1))
    after = queries.owner_of_key(shop.api_key, now=NOW)

    assert before == queries.KeyOwner(shop.api_key, shop.project.pk, "v1")
    assert after is None


@pytest.mark.parametrize("key", ["", "unknown", "a\x00b", "x" * 200, "' OR 1=1 --"])
def test_an_unknown_key_belongs_to_nobody(key: str, shop: NewProject):
    assert queries.owner_of_key(key, now=NOW) is None


def test_the_newest_keys_come_first_and_ended_ones_not_at_all(shop: NewProject, other: NewProject):
    newest = make_project().api_key
    IngestKey.objects.filter(key=shop.api_key).update(expires_at=NOW)

    keys = [owner.key for owner in queries.newest_keys(now=NOW, limit=2)]

    assert keys == [newest, other.api_key]


# --- Tokens -----------------------------------------------------------------------------------------------------


def test_a_token_is_kept_as_hash_and_prefix_only(shop: NewProject):
    new = issue(shop.project)

    assert re.fullmatch(r"bloop_tk_[A-Za-z0-9_-]{43}", new.secret)
    row = ApiToken.objects.get()
    assert row.token_hash == hashlib.sha256(new.secret.encode()).hexdigest()
    assert row.token_prefix == new.secret[:16]
    assert new.secret not in "".join(str(value) for value in vars(row).values())


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": ""}, "name must be 1-100 characters"),
        ({"name": " "}, "name must be 1-100 characters"),
        ({"name": "x" * 101}, "name must be 1-100 characters"),
        ({"name": "é" * 51}, "name must be 1-100 characters"),
        ({"scopes": ()}, "at least one scope is required"),
        ({"scopes": ("errors:read", "errors:delete")}, "invalid scope: errors:delete"),
        ({"scopes": ("ERRORS:READ",)}, "invalid scope: ERRORS:READ"),
        ({"expires_in_days": -1}, "expires_in_days must be 0 to 36500"),
        ({"expires_in_days": 10**9}, "expires_in_days must be 0 to 36500"),
    ],
)
def test_what_cannot_be_a_token_is_refused_in_the_contracts_words(
    fields: dict[str, Any], reason: str, shop: NewProject
):
    with pytest.raises(TokenInvalid) as refused:
        issue(shop.project, **fields)

    assert str(refused.value) == reason
    assert not ApiToken.objects.exists()


def test_all_ten_scopes_are_accepted(shop: NewProject):
    assert issue(shop.project, scopes=SCOPES).token.scopes == sorted(SCOPES)
    assert len(SCOPES) == 10


@pytest.mark.parametrize(("days", "works_for"), [(0, 0), (1, 86_400), (30, 30 * 86_400)])
def test_a_token_ends_on_its_day(days: int, works_for: int, shop: NewProject):
    secret = issue(shop.project, expires_in_days=days).secret

    assert queries.valid_token(secret, now=NOW + timedelta(seconds=works_for))
    assert queries.valid_token(secret, now=NOW + timedelta(seconds=works_for, milliseconds=1)) is None


def test_a_token_without_an_end_works_on(shop: NewProject):
    assert queries.valid_token(issue(shop.project).secret, now=NOW + timedelta(days=10_000))


def test_a_revoked_token_is_refused_at_once(shop: NewProject):
    client = Client(headers={"Authorization": f"Bearer {make_token(shop.project).secret}"})

    before = client.get("/v1/errors").status_code
    ApiToken.objects.update(revoked_at=timezone.now())

    assert (before, client.get("/v1/errors").status_code) == (200, 401)


def test_a_token_that_ends_between_two_calls_is_refused_at_the_second(shop: NewProject):
    client = Client(headers={"Authorization": f"Bearer {make_token(shop.project, expires_in_days=1).secret}"})

    before = client.get("/v1/errors").status_code
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(milliseconds=1))

    assert (before, client.get("/v1/errors").status_code) == (200, 401)


def test_use_is_noted_at_most_once_a_minute(shop: NewProject):
    token = issue(shop.project).token
    noted = []

    for second in (0, 30, 60, 61, 90, 122):
        note_token_use(token, now=NOW + timedelta(seconds=second))
        token.refresh_from_db()
        assert token.last_used_at
        noted.append((token.last_used_at - NOW).seconds)

    assert noted == [0, 0, 0, 61, 61, 122 if 122 - 61 > 60 else 61]


def test_a_request_with_a_token_notes_its_use_and_a_refused_one_does_not(shop: NewProject):
    good, bad = make_token(shop.project), make_token(shop.project)
    ApiToken.objects.filter(pk=bad.token.pk).update(revoked_at=timezone.now())

    for new in (good, bad):
        Client(headers={"Authorization": f"Bearer {new.secret}"}).get("/v1/errors")

    good.token.refresh_from_db()
    bad.token.refresh_from_db()
    assert good.token.last_used_at is not None
    assert bad.token.last_used_at is None


def test_a_token_outlives_the_person_who_made_it_and_not_its_project(shop: NewProject):
    kim = make_user(username="kim")
    issue(shop.project, created_by=kim)

    kim.delete()
    assert ApiToken.objects.get().created_by is None

    shop.project.delete()
    assert not ApiToken.objects.exists()
