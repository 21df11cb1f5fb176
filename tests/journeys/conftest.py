"""Homes and servers for the journeys. Whatever a journey did, its rollups must add up in the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.server import Home, Server, copied_home, furnished_home, serving


def expect_right_rollups(home: Home) -> None:
    """Every LLM rollup is what the traces add up to; asked only where there are traces, for asking takes a second."""
    if home.query("SELECT count(*) FROM (SELECT 1 FROM llmtraces_trace LIMIT 1) AS one"):
        assert home.manage_json("verify_rollups") == {"differences": []}


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
        expect_right_rollups(copy)


@pytest.fixture
def server(home: Home) -> Iterator[Server]:
    """A server of this test's own, to be treated badly."""
    with serving(home) as running:
        yield running


@pytest.fixture(scope="session")
def shared_server(furnished: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for journeys that leave it running: each sends errors with names of its own."""
    with copied_home(furnished, tmp_path_factory.mktemp("shared") / "home") as copy:
        with serving(copy) as running:
            yield running
        expect_right_rollups(copy)


@pytest.fixture(autouse=True)
def right_rollups(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each journey on the shared server, the rollups of what it has folded so far are right."""
    yield
    if "shared_server" in request.fixturenames:
        server: Server = request.getfixturevalue("shared_server")
        server.wait_until_drained()
        expect_right_rollups(server.home)
