"""Reads that take long see one moment of the database, and nobody who writes waits for them."""

from bloop_site.lib.db import one_moment
from projects.models import Project
from tests.factories import make_project
from tests.ingest.conftest import at_once
from tests.ingest.conftest import shared_database as shared_database  # noqa: PLC0414  a fixture for this test


def test_what_others_write_meanwhile_is_written_at_once_and_seen_afterwards(shared_database: None):
    before = Project.objects.count()

    with one_moment():
        assert Project.objects.count() == before
        [made] = at_once([make_project])
        within = Project.objects.count()

    assert not isinstance(made, Exception)
    assert (within, Project.objects.count()) == (before, before + 1)


def test_within_a_transaction_it_sees_what_that_sees(db: None):
    before = Project.objects.count()
    make_project()

    with one_moment():
        assert Project.objects.count() == before + 1
