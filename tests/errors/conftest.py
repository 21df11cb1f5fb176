"""A database that threads share."""

from tests.ingest.conftest import shared_database as shared_database  # noqa: PLC0414  a fixture for these tests
