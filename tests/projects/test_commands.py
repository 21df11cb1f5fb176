"""The commands scripts rely on: one JSON object on standard output, all else on standard error (design.md 3)."""

import json
import re
from typing import Any

import pytest
from django.core.management import ManagementUtility
from django.test import Client
from django.utils import timezone

from accounts.models import Role, User
from projects.models import ApiToken, Project
from projects.services.projects import NewProject
from tests.factories import event_json, make_issue, make_user, post_signed


@pytest.fixture
def manage(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, db: None):
    """Run `manage.py WORDS`; exit status, what it printed on standard output, and on standard error."""
    # A command's end closes connections; the test's transaction lives in one.
    monkeypatch.setattr("django.core.management.base.connections.close_all", lambda: None)

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            ManagementUtility(["manage.py", *words]).execute()
            status = 0
        except SystemExit as stop:
            status = int(stop.code or 0)
        out, err = capsys.readouterr()
        return status, out, err

    return run


def one_object(result: tuple[int, str, str]) -> dict[str, Any]:
    """The single JSON object of a command that worked."""
    status, out, _ = result
    assert status == 0
    assert out.count("\n") == 1
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


def test_createproject_prints_the_project_and_a_key_that_signs(manage, client: Client):
    made = one_object(manage("createproject", "Web Shop"))

    assert list(made) == ["id", "slug", "name", "api_key"]
    assert (made["slug"], made["name"]) == ("web-shop", "Web Shop")
    assert Project.objects.get(slug="web-shop").pk == made["id"]
    body = json.dumps(event_json()).encode()
    assert post_signed(client, "/v1/ingest", body, key=made["api_key"]).status_code == 200


def test_createproject_takes_slug_and_key_as_given(manage):
    made = one_object(manage("createproject", "版本", "--slug", "s-1", "--api-key", "my-own-key"))

    assert (made["slug"], made["name"], made["api_key"]) == ("s-1", "版本", "my-own-key")


def test_createtoken_prints_a_token_that_reads(manage, client: Client, shop: NewProject):
    make_issue(shop.project)

    made = one_object(
        manage("createtoken", "shop", "--name", "ci", "--scopes", "errors:read, alerts:read", "--expires-in-days", "7")
    )

    assert list(made) == ["id", "token", "scopes", "project_id"]
    assert (made["scopes"], made["project_id"]) == (["alerts:read", "errors:read"], shop.project.pk)
    row = ApiToken.objects.get(pk=made["id"])
    assert row.expires_at
    assert (row.expires_at - row.created_at).days == 7
    answer = client.get("/v1/errors", headers={"Authorization": f"Bearer {made['token']}"})
    assert len(answer.json()) == 1


@pytest.mark.parametrize(("flags", "role"), [((), Role.MEMBER), (("--admin",), Role.ADMIN)])
def test_createinvite_prints_a_link_that_lets_one_person_in(flags: tuple[str, ...], role: str, manage, client: Client):
    made = one_object(manage("createinvite", *flags))

    assert list(made) == ["url", "token", "expires_at"]
    assert made["url"] == f"http://localhost:5332/auth/login?invite={made['token']}"
    assert 604_790 <= made["expires_at"] - timezone.now().timestamp() <= 604_800
    client.post(f"/auth/invite/{made['token']}", {"username": "kim"})
    assert User.objects.get().role == role


def test_loginlink_prints_a_link_that_signs_in_once(manage, client: Client):
    make_user(username="kim")

    made = one_object(manage("loginlink", "kim"))

    assert list(made) == ["url", "expires_at"]
    assert 290 <= made["expires_at"] - timezone.now().timestamp() <= 300
    found = re.fullmatch(r"http://localhost:5332(/auth/link/[\w-]{43})", made["url"])
    assert found
    assert [client.post(found.group(1)).status_code for _ in range(2)] == [302, 410]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["createproject", ""], "name is required"),
        (["createproject", "Shop"], "a project with that slug already exists"),
        (["createproject", "New", "--slug", "No Good"], "slug must be lowercase"),
        (["createproject", "New", "--api-key", "has space"], "an API key is"),
        (["createproject"], "the following arguments are required: name"),
        (["createtoken", "nowhere", "--name", "n", "--scopes", "errors:read"], "project not found"),
        (["createtoken", "shop", "--name", "n", "--scopes", "all"], "invalid scope: all"),
        (["createtoken", "shop", "--name", "n", "--scopes", ","], "at least one scope is required"),
        (["createtoken", "shop", "--name", "", "--scopes", "errors:read"], "name must be 1-100"),
        (["createtoken", "shop", "--name", "n", "--scopes", "errors:read", "--expires-in-days", "x"], "invalid int"),
        (["createtoken", "shop", "--scopes", "errors:read"], "required: --name"),
        (["loginlink", "nobody"], "no active user named 'nobody'"),
        (["loginlink"], "required: username"),
    ],
)
def test_what_cannot_be_done_is_said_on_standard_error_with_a_failing_status(
    words: list[str], reason: str, manage, shop: NewProject
):
    status, out, err = manage(*words)

    assert status > 0
    assert out == ""
    assert reason in err
    assert "Traceback" not in err


def test_loginlink_knows_nobody_who_is_switched_off(manage):
    make_user(username="kim")
    User.objects.update(is_active=False)

    assert manage("loginlink", "kim")[0] > 0
