"""Lists of projects, tokens, people and invites cost the same number of queries whatever they hold."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.audit import COMMAND_LINE
from accounts.models import Role, User
from projects.services.members import invite_to
from projects.services.projects import NewProject
from tests.factories import make_project, make_token, make_user

FEW, MANY = 3, 30
LISTS = {  # the most queries each may take, two of them for the session
    "/v1/projects": 3,
    "/v1/projects/shop": 3,
    "/v1/projects/shop/members": 4,
    "/v1/tokens?project_id=shop": 5,
    "/v1/admin/users": 3,
    "/v1/admin/invites": 4,
}


def fill(shop: NewProject, count: int) -> None:
    """`count` of everything the lists hold."""
    for _ in range(count):
        project = make_project().project
        make_token(shop.project)
        make_user(projects=(shop.project,))
        projects = (shop.project, project)
        invite_to(role=Role.MEMBER, projects=projects, created_by=None, actor=COMMAND_LINE, now=timezone.now())


def queries_of(client: Client, path: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return [query["sql"] for query in captured.captured_queries]


@pytest.mark.parametrize("path", LISTS)
def test_a_list_asks_as_often_for_30_rows_as_for_3(path: str, admin_client: Client, shop: NewProject):
    fill(shop, FEW)
    fewer = queries_of(admin_client, path)
    fill(shop, MANY)

    more = queries_of(admin_client, path)

    assert len(more) == len(fewer), "\n".join(["with 3 rows:", *fewer, "with 30 rows:", *more])
    assert len(more) <= LISTS[path], "\n".join(more)


def test_a_members_projects_take_one_query_however_many(member_client: Client, member: User):
    for _ in range(MANY):
        member.memberships.create(project=make_project().project)

    queries = queries_of(member_client, "/v1/projects")

    assert len([query for query in queries if "projects_project" in query]) == 1
