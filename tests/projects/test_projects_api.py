"""Projects over HTTP (contract 5.1): who sees, makes, renames and deletes which, in the contract's words."""

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry, Role, User
from projects.models import DEFAULT_ID, IngestKey, Membership, Project, Removal
from projects.services.projects import NewProject
from tests.factories import make_project, make_token, make_user
from tests.ingest.conftest import at_once
from tests.projects.conftest import SignIn

JSON = "application/json"
OBJECT = {"id", "name", "slug", "created_at", "created_by"}
NOT_YOURS = "only an admin or the project's creator may do this"


def put(client: Client, path: str, body: Any) -> Any:
    return client.put(path, body, content_type=JSON)


def post(client: Client, path: str, body: Any = None) -> Any:
    return client.post(path, body, content_type=JSON) if body is not None else client.post(path)


# --- Make and list ----------------------------------------------------------------------------------------------


def test_a_new_project_comes_with_its_key_and_a_status_of_200(admin_client: Client, admin: User):
    answer = post(admin_client, "/v1/projects", {"name": " Shop ", "slug": "shop"})

    made = answer.json()
    assert answer.status_code == 200
    assert made.keys() == OBJECT | {"api_key"}
    assert (made["name"], made["slug"], made["created_by"]) == ("Shop", "shop", str(admin.pk))
    assert re.fullmatch(r"bloop_[0-9a-f]{64}", made["api_key"])
    assert re.fullmatch(r"[0-9a-f-]{36}", made["id"])
    assert abs(made["created_at"] - timezone.now().timestamp()) < 5, "in seconds"
    assert IngestKey.objects.get(project_id=made["id"]).key == made["api_key"]


def test_no_other_answer_has_a_key(admin_client: Client, shop: NewProject):
    answers = [admin_client.get("/v1/projects"), admin_client.get("/v1/projects/shop")]
    answers.append(put(admin_client, "/v1/projects/shop", {"name": "New"}))

    for answer in answers:
        assert answer.status_code == 200
        assert "api_key" not in answer.content.decode()
        assert shop.api_key not in answer.content.decode()


def test_the_list_begins_with_the_oldest(admin_client: Client):
    for name in ("Zebra", "Apple", "Mango"):
        make_project(name=name, slug=name.lower())

    listed = admin_client.get("/v1/projects").json()

    assert [each["slug"] for each in listed] == ["default", "zebra", "apple", "mango"]
    assert all(each.keys() == OBJECT for each in listed)
    assert listed[0] == {**listed[0], "id": "default", "name": "Default", "created_by": None}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "name is required"),
        ({"slug": "shop"}, "name is required"),
        ({"name": "", "slug": "shop"}, "name is required"),
        ({"name": " ", "slug": "shop"}, "name is required"),
        ({"name": "Shop"}, "slug is required"),
        ({"name": "Shop", "slug": ""}, "slug is required"),
        *(
            ({"name": "Shop", "slug": slug}, "slug must be lowercase alphanumeric with hyphens")
            for slug in ("Shop", "a b", "a_b", "é", "a/b", "a\n", "_x", "x" * 65)
        ),
        ({"name": "Shop", "slug": "default"}, "a project with that slug already exists"),
        ({"name": "Shop", "slug": "taken"}, "a project with that slug already exists"),
    ],
)
def test_what_cannot_be_a_project_is_refused_in_the_contracts_words(
    body: dict[str, Any], reason: str, admin_client: Client
):
    make_project(slug="taken")

    answer = post(admin_client, "/v1/projects", body)

    assert (answer.status_code, answer.json()) == (400, {"error": reason})
    assert Project.objects.count() == 2


def test_a_member_makes_a_project_and_belongs_to_it(member_client: Client, member: User):
    made = post(member_client, "/v1/projects", {"name": "Mine", "slug": "mine"})

    assert made.status_code == 200
    assert Membership.objects.filter(project_id=made.json()["id"], user=member).exists()
    assert [each["slug"] for each in member_client.get("/v1/projects").json()] == ["shop", "mine"]
    assert put(member_client, "/v1/projects/mine", {"name": "Ours"}).json()["name"] == "Ours"


def test_an_admin_needs_no_membership_of_what_they_make(admin_client: Client):
    post(admin_client, "/v1/projects", {"name": "Shop", "slug": "shop"})

    assert not Membership.objects.exists()


def test_a_member_sees_their_projects_alone(member_client: Client, shop: NewProject, other: NewProject):
    assert [each["slug"] for each in member_client.get("/v1/projects").json()] == ["shop"]
    assert member_client.get("/v1/projects/shop").status_code == 200
    for slug in ("other", "default", "nowhere"):
        answer = member_client.get(f"/v1/projects/{slug}")
        assert (answer.status_code, answer.json()) == (404, {"error": "project not found"})


# --- Rename -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "name"),
    [({"name": " New "}, "New"), ({}, "Shop"), ({"slug": "new", "id": "x", "api_key": "k"}, "Shop")],
)
def test_the_name_can_change_and_nothing_else(body: dict[str, str], name: str, admin_client: Client, shop: NewProject):
    before = admin_client.get("/v1/projects/shop").json()

    answer = put(admin_client, "/v1/projects/shop", body)

    assert (answer.status_code, answer.json()) == (200, {**before, "name": name})
    assert admin_client.get("/v1/projects/shop").json() == {**before, "name": name}


def test_an_empty_body_renames_nothing(admin_client: Client, shop: NewProject):
    assert admin_client.put("/v1/projects/shop").json()["name"] == "Shop"


@pytest.mark.parametrize("name", ["", "  "])
def test_a_project_keeps_a_name(name: str, admin_client: Client, shop: NewProject):
    answer = put(admin_client, "/v1/projects/shop", {"name": name})

    assert (answer.status_code, answer.json()) == (400, {"error": "name is required"})


# --- Delete -----------------------------------------------------------------------------------------------------


def test_deleting_says_so_and_the_project_is_gone(admin_client: Client, shop: NewProject):
    answer = admin_client.delete("/v1/projects/shop")

    assert (answer.status_code, answer.json()) == (200, {"deleted": True})
    assert admin_client.get("/v1/projects/shop").status_code == 404
    assert admin_client.delete("/v1/projects/shop").status_code == 404
    assert Removal.objects.get().slug == "shop"


def test_the_default_project_is_not_deleted(admin_client: Client, default_project: Project):
    answer = admin_client.delete("/v1/projects/default")

    assert (answer.status_code, answer.json()) == (400, {"error": "cannot delete the default project"})
    assert Project.objects.filter(pk=DEFAULT_ID, removing_at=None).exists()


# --- Who may ----------------------------------------------------------------------------------------------------


ACTS = [
    ("put", "/v1/projects/shop"),
    ("delete", "/v1/projects/shop"),
    ("post", "/v1/projects/shop/rotate-key"),
    ("get", "/v1/projects/shop/members"),
    ("put", "/v1/projects/shop/members/mia"),
    ("delete", "/v1/projects/shop/members/mia"),
]


@pytest.mark.parametrize(("method", "path"), ACTS)
def test_a_member_is_told_that_this_is_not_theirs_to_do(
    method: str, path: str, member_client: Client, shop: NewProject
):
    answer = getattr(member_client, method)(path)

    assert (answer.status_code, answer.json()) == (403, {"error": NOT_YOURS})
    shop.project.refresh_from_db()
    assert (shop.project.name, shop.project.removing_at) == ("Shop", None)
    assert [key.key for key in shop.project.keys.all()] == [shop.api_key]
    assert shop.project.memberships.count() == 1


@pytest.mark.parametrize(("method", "path"), ACTS)
def test_to_a_stranger_the_project_does_not_exist(method: str, path: str, sign_in: SignIn, shop: NewProject):
    answer = getattr(sign_in(make_user()), method)(path)

    assert (answer.status_code, answer.json()) == (404, {"error": "project not found"})


@pytest.mark.parametrize(("method", "path"), ACTS)
def test_its_creator_may(method: str, path: str, sign_in: SignIn, creator: User, member: User):
    assert getattr(sign_in(creator), method)(path).status_code == 200


@pytest.mark.parametrize(("method", "path"), ACTS)
def test_a_creator_who_was_taken_out_of_it_may_not(method: str, path: str, sign_in: SignIn, creator: User):
    Membership.objects.filter(user=creator).delete()

    assert getattr(sign_in(creator), method)(path).status_code == 404


@pytest.mark.parametrize("path", ["/v1/projects", "/v1/projects/shop", "/v1/tokens?project_id=shop", "/v1/admin/users"])
def test_tokens_do_not_open_what_is_for_sessions(path: str, client: Client, shop: NewProject):
    bearer = {"Authorization": f"Bearer {make_token(shop.project).secret}"}

    refused = client.get(path, headers=bearer)
    ended = client.get(path, headers={"Cookie": "session=unknown"})

    assert (refused.status_code, refused.json()) == (401, {"error": "authentication required"})
    assert (ended.status_code, ended.json()) == (401, {"error": "invalid or expired session"})


# --- Members ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["pk", "username"])
def test_people_come_and_go(by: str, admin_client: Client, shop: NewProject, sign_in: SignIn):
    kim = make_user(username="kim")
    path = f"/v1/projects/shop/members/{getattr(kim, by)}"

    came = [admin_client.put(path) for _ in range(2)]
    listed = admin_client.get("/v1/projects/shop/members").json()
    saw = sign_in(kim).get("/v1/projects/shop").status_code
    went = [admin_client.delete(path) for _ in range(2)]

    assert [answer.json() for answer in (*came, *went)] == [{"status": "ok"}] * 4
    assert listed == [{"id": str(kim.pk), "username": "kim", "is_admin": False}]
    assert (saw, sign_in(kim).get("/v1/projects/shop").status_code) == (200, 404)
    assert list(
        AuditEntry.objects.filter(action__startswith="member_").order_by("pk").values_list("action", "target")
    ) == [("member_added", "kim in Shop"), ("member_removed", "kim in Shop")]


@pytest.mark.parametrize("name", ["nobody", "00000000-0000-4000-8000-000000000000", "%00", "a%0Ab"])
def test_nobody_unknown_becomes_a_member(name: str, admin_client: Client, shop: NewProject):
    for method in (admin_client.put, admin_client.delete):
        answer = method(f"/v1/projects/shop/members/{name}")
        assert (answer.status_code, answer.json()) == (404, {"error": "user not found"})

    assert not Membership.objects.exists()


# --- What is written of it --------------------------------------------------------------------------------------


def test_each_act_on_a_project_is_on_record_with_who_and_from_where(admin_client: Client, admin: User):
    post(admin_client, "/v1/projects", {"name": "Shop", "slug": "shop"})
    put(admin_client, "/v1/projects/shop", {"name": "Store"})
    put(admin_client, "/v1/projects/shop", {"name": "Store"})
    key = post(admin_client, "/v1/projects/shop/rotate-key?grace_secs=60").json()["api_key"]
    admin_client.delete("/v1/projects/shop")

    entries = list(AuditEntry.objects.exclude(project_id=None).order_by("pk"))
    assert [(entry.action, entry.target, entry.detail) for entry in entries] == [
        ("project_created", "Shop", {}),
        ("project_changed", "Store", {"name": ["Shop", "Store"]}),
        ("key_rotated", "Store", {"grace_seconds": 60}),
        ("project_deleted", "Store", {}),
    ]
    assert {(entry.actor, entry.address) for entry in entries} == {(admin, "127.0.0.1")}
    assert key not in repr([vars(entry) for entry in entries])


def test_a_refused_act_is_not_on_record(member_client: Client, shop: NewProject):
    AuditEntry.objects.all().delete()

    for method, path in ACTS:
        getattr(member_client, method)(path)

    assert not AuditEntry.objects.exists()


def test_of_two_projects_with_one_slug_at_the_same_moment_one_is_made(shared_database: None, sign_in: SignIn):
    admin = make_user(role=Role.ADMIN)
    clients = [sign_in(admin) for _ in range(4)]

    def make(client: Client) -> Any:
        return lambda: post(client, "/v1/projects", {"name": "Shop", "slug": "shop"})

    answers = at_once([make(client) for client in clients])

    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    assert {answer.json().get("error") for answer in answers} == {None, "a project with that slug already exists"}
    assert Project.objects.filter(slug="shop").count() == 1
