"""Answers about projects, tokens, people and invites are as the OpenAPI file says."""

from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from django.test import Client

from accounts.models import User
from projects.services.projects import NewProject
from tests.factories import make_token
from tests.test_openapi import answer_schema

ANSWERS: list[tuple[str, str, Any, str, int]] = [
    ("get", "/v1/projects", None, "/v1/projects", 200),
    ("post", "/v1/projects", {"name": "New", "slug": "new"}, "/v1/projects", 200),
    ("post", "/v1/projects", {}, "/v1/projects", 400),
    ("get", "/v1/projects/shop", None, "/v1/projects/{slug}", 200),
    ("get", "/v1/projects/nowhere", None, "/v1/projects/{slug}", 404),
    ("put", "/v1/projects/shop", {"name": "New"}, "/v1/projects/{slug}", 200),
    ("delete", "/v1/projects/shop", None, "/v1/projects/{slug}", 200),
    ("post", "/v1/projects/shop/rotate-key", {}, "/v1/projects/{slug}/rotate-key", 200),
    ("get", "/v1/projects/shop/members", None, "/v1/projects/{slug}/members", 200),
    ("put", "/v1/projects/shop/members/mia", {}, "/v1/projects/{slug}/members/{user_id}", 200),
    ("delete", "/v1/projects/shop/members/mia", None, "/v1/projects/{slug}/members/{user_id}", 200),
    ("get", "/v1/tokens?project_id=shop", None, "/v1/tokens", 200),
    ("post", "/v1/tokens", {"name": "n", "project_id": "shop", "scopes": ["llm:read"]}, "/v1/tokens", 201),
    ("post", "/v1/tokens", {"name": "n", "project_id": "shop", "scopes": ["all"]}, "/v1/tokens", 400),
    ("delete", "/v1/tokens/{token}", None, "/v1/tokens/{token_id}", 200),
    ("get", "/v1/admin/users", None, "/v1/admin/users", 200),
    ("delete", "/v1/admin/users/{member}", None, "/v1/admin/users/{user_id}", 200),
    ("put", "/v1/admin/users/{member}/role", {"role": "admin"}, "/v1/admin/users/{user_id}/role", 200),
    ("get", "/v1/admin/invites", None, "/v1/admin/invites", 200),
    ("post", "/v1/admin/invites", {"projects": ["shop"]}, "/v1/admin/invites", 200),
    ("delete", "/v1/admin/invites/{invite}", None, "/v1/admin/invites/{invite_id}", 200),
    ("get", "/v1/admin/retention", None, "/v1/admin/retention", 200),
    ("put", "/v1/admin/retention", {"raw_events_days": 9}, "/v1/admin/retention", 200),
    ("put", "/v1/admin/retention", {"raw_events_days": 0}, "/v1/admin/retention", 400),
    ("post", "/v1/admin/retention/purge", {"confirm": True}, "/v1/admin/retention/purge", 200),
    ("post", "/v1/admin/retention/purge", {"confirm": False}, "/v1/admin/retention/purge", 400),
    ("post", "/v1/admin/reset", {"confirm": True}, "/v1/admin/reset", 200),
    ("post", "/v1/admin/reset", {"confirm": False}, "/v1/admin/reset", 400),
]


@pytest.mark.parametrize(("method", "path", "body", "route", "status"), ANSWERS)
def test_an_answer_is_as_the_file_says(
    method: str, path: str, body: Any, route: str, status: int, admin_client: Client, member: User, shop: NewProject
):
    token = make_token(shop.project).token.pk
    invite = admin_client.post("/v1/admin/invites", {"projects": ["shop"]}, content_type="application/json").json()[
        "id"
    ]
    path = path.format(token=token, member=member.pk, invite=invite)

    answer = getattr(admin_client, method)(path, body, content_type="application/json")

    assert answer.status_code == status
    assert answer.json(), "an empty list proves nothing"
    jsonschema.validate(answer.json(), answer_schema(route, method, status))
