"""The scripts of the checkout: what they find instead of what was wanted, they say."""

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

SCRIPTS = settings.BASE_DIR / "scripts"


@pytest.fixture
def with_postgres(monkeypatch: pytest.MonkeyPatch) -> Any:
    """scripts/with-postgres as a module."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec = spec_from_loader("with_postgres", SourceFileLoader("with_postgres", str(SCRIPTS / "with-postgres")))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("there", "taken", "said"),
    [
        ([15], 15, ""),
        ([13, 15, 17], 15, ""),
        ([13, 14], 14, "with-postgres: no PostgreSQL 15 on this machine; using version 14.\n"),
        ([16, 17], 17, "with-postgres: no PostgreSQL 15 on this machine; using version 17.\n"),
    ],
)
def test_another_postgresql_than_15_is_used_but_not_silently(
    there: list[int],
    taken: int,
    said: str,
    with_postgres: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    for version in there:
        (tmp_path / str(version) / "bin").mkdir(parents=True)
        (tmp_path / str(version) / "bin" / "initdb").touch()
    monkeypatch.setattr(with_postgres, "PLACES", [str(tmp_path)])

    assert with_postgres.programs() == tmp_path / str(taken) / "bin"
    assert capsys.readouterr() == ("", said)
