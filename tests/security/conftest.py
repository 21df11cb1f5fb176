"""What the races need: a database that threads share."""

from tests.ingest.conftest import shared_database  # noqa: F401  a fixture
