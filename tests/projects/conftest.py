"""A database that threads share, for the races; sessions as scripts have them."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from projects.models import Membership
from projects.services.projects import NewProject
from tests.factories import make_user
from tests.ingest.conftest import shared_database as shared_database  # noqa: PLC0414  a fixture for these tests

SignIn = Callable[[User], Client]


@pytest.fixture
def sign_in() -> SignIn:
    """A client with a session of the user."""

    def signed_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return signed_in


@pytest.fixture
def creator(shop: NewProject) -> User:
    """A member who made the shop."""
    user = make_user(username="cleo", projects=(shop.project,))
    shop.project.created_by = user
    shop.project.save(update_fields=["created_by"])
    assert Membership.objects.filter(user=user, project=shop.project).exists()
    return user
