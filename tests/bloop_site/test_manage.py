"""What `manage.py` takes from its words before Django reads them."""

import os

import pytest

from manage import take_config_option


@pytest.mark.parametrize(
    ("words", "rest", "config"),
    [
        (["serve", "--config", "a.toml"], ["serve"], "a.toml"),
        (["--config=a.toml", "serve"], ["serve"], "a.toml"),
        (["serve", "-c", "a.toml", "--port", "1"], ["serve", "--port", "1"], "a.toml"),
        (["shell", "-c", "print(1)"], ["shell", "-c", "print(1)"], None),
        (["shell", "--config", "a.toml", "-c", "print(1)"], ["shell", "-c", "print(1)"], "a.toml"),
        (["dbshell", "--", "-c", "select 1"], ["dbshell", "--", "-c", "select 1"], None),
    ],
)
def test_the_configuration_file_is_told_anywhere_but_shells_keep_their_code(
    words: list[str], rest: list[str], config: str | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("BLOOP_CONFIG", raising=False)
    monkeypatch.setattr(os, "environ", dict(os.environ))

    assert take_config_option(["manage.py", *words]) == ["manage.py", *rest]
    assert os.environ.get("BLOOP_CONFIG") == config
