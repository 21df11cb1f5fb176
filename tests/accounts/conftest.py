"""People with passkeys, and threads that share a database."""

import pytest

from accounts.models import User
from tests.accounts.ceremony import give_passkey
from tests.authenticator import Authenticator
from tests.ingest.conftest import shared_database, together  # noqa: F401  fixtures


@pytest.fixture
def device() -> Authenticator:
    return Authenticator()


@pytest.fixture
def ann(admin: User, device: Authenticator, unhurried: None) -> User:
    """An admin with a passkey on `device`."""
    give_passkey(admin, device)
    return admin
