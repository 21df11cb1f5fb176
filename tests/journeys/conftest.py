"""Homes and servers for the journeys."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.server import Home, Server, copied_home, furnished_home, serving


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The home every other one is copied from."""
    with furnished_home(tmp_path_factory.mktemp("furnished")) as home:
        yield home


@pytest.fixture
def home(furnished: Home, tmp_path: Path) -> Iterator[Home]:
    """A home of this test's own."""
    with copied_home(furnished, tmp_path / "home") as copy:
        yield copy


@pytest.fixture
def server(home: Home) -> Iterator[Server]:
    """A server of this test's own, to be treated badly."""
    with serving(home) as running:
        yield running


@pytest.fixture(scope="session")
def shared_server(furnished: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for journeys that leave it running: each sends errors with names of its own."""
    with (
        copied_home(furnished, tmp_path_factory.mktemp("shared") / "home") as copy,
        serving(copy) as running,
    ):
        yield running
