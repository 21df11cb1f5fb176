"""Logs: the level from configuration or RUST_LOG, one JSON object a line, every event at debug, never a body."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from bloop_site import logs
from bloop_site.lib.log import logger
from ingest.flush import flush_all
from projects.services.projects import NewProject
from tests.factories import event_json, post_signed

BODY = "OnlyInTheBody"


def entries(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    """The fields of each log line of this event."""
    found = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [fields for fields in found if fields["event"] == event]


def post_batch(client: Client, shop: NewProject, *events: dict[str, Any]) -> None:
    body = json.dumps({"events": events}).encode()
    assert post_signed(client, "/v1/ingest/batch", body, key=shop.api_key).status_code == 200


@pytest.mark.parametrize(
    ("value", "level"),
    [
        ("debug", "debug"),
        (" info ", "info"),
        ("bloop=trace", "trace"),
        ("bloop_server=debug", "debug"),
        ("warn,bloop=debug", "debug"),
        ("bloop=debug,warn", "debug"),
        ("info,hyper=warn", "info"),
        ("hyper=warn,error", "error"),
        ("hyper=warn", None),
        ("notbloop=debug", None),
        ("", None),
    ],
)
def test_the_originals_level_variable_is_understood(value: str, level: str | None):
    assert logs.rust_log_level(value) == level


@pytest.mark.parametrize(
    ("configured", "rust_log", "level"),
    [
        (None, "", "INFO"),
        (None, "debug", "DEBUG"),
        (None, "trace", "DEBUG"),
        (None, "warn", "WARNING"),
        (None, "off", "CRITICAL"),
        (None, "loud", "INFO"),
        ("error", "debug", "ERROR"),
        ("WARN", "", "WARNING"),
    ],
)
def test_the_configured_level_wins_over_the_variable(
    configured: str | None, rust_log: str, level: str, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
):
    with_logging(settings, level=configured)
    monkeypatch.setenv("RUST_LOG", rust_log)

    assert logs.level_name() == level


def with_logging(settings: LazySettings, **values: str | None) -> None:
    changed = settings.BLOOP.logging.model_copy(update=values)
    settings.BLOOP = settings.BLOOP.model_copy(update={"logging": changed})


def test_debug_lists_every_event_with_its_fingerprint_and_each_batch_with_size_and_time(
    client: Client, shop: NewProject, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG, logger="bloop")

    post_batch(client, shop, *(event_json(fingerprint=name) for name in ("a", "b", "a")))
    flush_all()

    ingested = entries(caplog, "event_ingested")
    assert [(entry["project_id"], entry["fingerprint"]) for entry in ingested] == [
        (shop.project.pk, name) for name in ("a", "b", "a")
    ]
    (written,) = entries(caplog, "batch_written")
    assert (written["kind"], written["payloads"], written["stored"], written["buried"]) == ("errors", 1, 3, 0)
    assert written["ms"] > 0


def test_info_lists_none_of_them(client: Client, shop: NewProject, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, logger="bloop")

    post_batch(client, shop, event_json())
    flush_all()

    assert entries(caplog, "event_ingested") == entries(caplog, "batch_written") == []


def test_every_line_of_a_request_carries_one_id(client: Client, shop: NewProject, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG, logger="bloop")

    post_batch(client, shop, event_json(), event_json())
    post_batch(client, shop, event_json())

    ids = [entry["request_id"] for entry in entries(caplog, "event_ingested")]
    assert ids[0] == ids[1] != ids[2]
    assert len(ids[0]) == 16


def test_no_line_repeats_what_a_client_sent(
    client: Client, shop: NewProject, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    caplog.set_level(logging.DEBUG)
    texts = dict.fromkeys(("message", "error_type", "stack", "release", "route_or_procedure", "user_id_hash"), BODY)
    monkeypatch.setattr("errors.services.record.write_rollups", refuse)

    post_batch(client, shop, event_json(**texts, metadata={"k": BODY}), {"message": BODY, "source": 1})
    flush_all()
    post_signed(client, "/v1/ingest", f'{{"message": "{BODY}'.encode(), key=shop.api_key)

    assert entries(caplog, "payload_buried"), "the failure was logged, too"
    assert BODY not in caplog.text
    assert shop.api_key not in caplog.text


def refuse(*_: Any) -> None:
    msg = "a bug"
    raise RuntimeError(msg)


@pytest.fixture
def configured_again(settings: LazySettings) -> Iterator[Callable[[], None]]:
    """Set logging up as in a process whose output is collected; afterwards as it was."""
    with_logging(settings, format="json", level=None)
    root = logging.getLogger()
    before = root.handlers[:]
    yield logs.configure  # to be called by the test: pytest swaps standard error between a fixture and its test
    root.handlers[:] = before


def test_a_line_is_one_json_object_with_event_level_logger_and_time(
    configured_again: Callable[[], None], capsys: pytest.CaptureFixture[str]
):
    configured_again()
    logger("tests").warning("something_happened", count=3, text="two\nlines")
    logging.getLogger("celery.worker").warning("plain %s", "words")

    out, err = capsys.readouterr()
    ours, theirs = map(json.loads, err.splitlines())
    assert out == ""
    assert (ours["event"], ours["count"], ours["text"]) == ("something_happened", 3, "two\nlines")
    assert (ours["level"], ours["logger"]) == ("warning", "bloop.tests")
    assert (theirs["event"], theirs["logger"]) == ("plain words", "celery.worker")
    assert ours["at"].endswith("Z")


def test_an_exception_is_part_of_its_line(configured_again: Callable[[], None], capsys: pytest.CaptureFixture[str]):
    configured_again()
    try:
        refuse()
    except RuntimeError:
        logger("tests").exception("it_failed")

    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "it_failed"
    assert "RuntimeError: a bug" in line["exception"]
