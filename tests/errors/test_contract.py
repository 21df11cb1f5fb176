import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bloop_site.lib.clock import DAY_MS
from errors.contract import (
    CAPS,
    Event,
    EventInvalid,
    Limits,
    decode_events,
    decode_json,
    encode_events,
    parse_event,
)
from errors.fingerprint import fingerprint
from errors.models import Event as EventRow
from errors.models import Issue
from errors.services.record import record_events
from errors.services.tallies import Received
from projects.services.projects import NewProject

NOW = 1_760_000_000_123
STRICT = Limits(strict=True)


def parse(*, limits: Any = Limits(), grouping: Any = "v1", **fields: Any) -> Event:  # noqa: B008  frozen
    return parse_event({"error_type": "E", "message": "boom", **fields}, limits=limits, grouping=grouping, now_ms=NOW)


def refusal(*, limits: Any = Limits(), **fields: Any) -> str:  # noqa: B008  frozen
    with pytest.raises(EventInvalid) as refused:
        parse(limits=limits, **fields)
    return str(refused.value)


# --- L1: timestamps -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (1_759_990_000, 1_759_990_000_000),  # seconds
        (1_759_990_000.5, 1_759_990_000_500),
        (1_759_990_000_123, 1_759_990_000_123),  # milliseconds
        (1_759_990_000_123.9, 1_759_990_000_123),
        (1_759_990_000_123_456, 1_759_990_000_123),  # microseconds
        (1_759_990_000_123_456_789, 1_759_990_000_123),  # nanoseconds
        ("1759990000", 1_759_990_000_000),
        (" 1759990000.25 ", 1_759_990_000_250),
        ("1759990000123", 1_759_990_000_123),
        ("1.75999e9", 1_759_990_000_000),
        (1, 1_000),
        (99_999_999_999, NOW),  # the last second of L1's first magnitude lies in the year 5138
        (100_000_000_000, 100_000_000_000),  # the first millisecond of its second
        (99_999_999_999_999, NOW),
        (10**14, 10**11),
        (10**17, 10**11),
        (NOW + DAY_MS, NOW + DAY_MS),  # a day ahead is believed
        (NOW + DAY_MS + 1, NOW),  # more is not
        (0, NOW),
        (-1, NOW),
        (-(2**63), NOW),
        (-1.8e305, NOW),  # times 1,000 it would be no number any more
        (2**63 - 1, NOW),
        (None, NOW),
        ("", NOW),
    ],
)
def test_l1_a_timestamp_is_read_by_its_magnitude(sent: Any, stored: int) -> None:
    assert parse(timestamp=sent).timestamp_ms == stored


def test_l1_a_missing_timestamp_is_the_receive_time() -> None:
    assert parse().timestamp_ms == NOW


@given(st.integers(1_000_000_000_000, NOW), st.sampled_from([(1, 1), (1000, 1), (1_000_000, 1), (1, 1000)]))
def test_l1_the_four_units_of_one_instant_agree(instant: int, unit: tuple[int, int]) -> None:
    times, per = unit

    stored = parse(timestamp=instant * times // per).timestamp_ms

    assert stored == instant // per * per


# --- L2: source -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["ios", "android", "api", "python", "ruby", "rust", "node", "a.b_c-9", "x" * 32])
def test_l2_any_source_of_the_pattern_is_taken(source: str) -> None:
    assert parse(source=source).source == source


def test_l2_a_source_is_lower_cased_before_it_is_stored_and_hashed() -> None:
    assert parse(source="Python") == parse(source="python")
    assert parse(source="Python").source == "python"


@pytest.mark.parametrize("fields", [{}, {"source": None}, {"source": ""}])
def test_l2_a_missing_source_is_api(fields: dict[str, Any]) -> None:
    assert parse(**fields).source == "api"


@pytest.mark.parametrize("source", ["a b", "é", "x" * 33, "a/b", "api\n", " api"])
def test_a_source_outside_the_pattern_is_refused(source: str) -> None:
    assert refusal(source=source) == "source must be 1 to 32 of A-Z a-z 0-9 _ . -"


# --- L3: what may be missing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["missing", None, ""])
def test_l3_release_and_environment_have_defaults(value: str | None) -> None:
    fields = {} if value == "missing" else {"release": value, "environment": value}

    event = parse(**fields)

    assert (event.release, event.environment) == ("unknown", "production")


@pytest.mark.parametrize("fields", [{}, {"message": None}, {"message": ""}])
def test_l3_a_missing_message_is_the_error_type(fields: dict[str, Any]) -> None:
    event = parse_event({"error_type": "Timeout7", **fields}, limits=Limits(), grouping="v1", now_ms=NOW)

    assert event == parse(error_type="Timeout7", message="Timeout7")


@pytest.mark.parametrize("fields", [{}, {"error_type": None}, {"error_type": ""}])
def test_l3_an_event_without_error_type_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(EventInvalid, match=r"^error_type is required$"):
        parse_event({"message": "boom", **fields}, limits=Limits(), grouping="v1", now_ms=NOW)


# --- L4: unknown fields -----------------------------------------------------------------------------------------


def test_l4_unknown_fields_are_kept_under_extra() -> None:
    event = parse(metadata={"k": "v"}, tags=["a"], user="u1")

    assert json.loads(event.metadata or "") == {"k": "v", "_extra": {"tags": ["a"], "user": "u1"}}


def test_l4_unknown_fields_alone_make_metadata() -> None:
    assert parse(tags=["a"]).metadata == '{"_extra":{"tags":["a"]}}'


@pytest.mark.parametrize("metadata", [["a"], "text", 7])
def test_l4_unknown_fields_are_dropped_where_metadata_is_no_object(metadata: Any) -> None:
    assert json.loads(parse(metadata=metadata, tags=["a"]).metadata or "") == metadata


def test_l4_unknown_fields_that_do_not_fit_are_dropped_and_metadata_stays() -> None:
    assert parse(metadata={"k": "v"}, blob="x" * 4096).metadata == '{"k":"v"}'


# --- L5: empty texts --------------------------------------------------------------------------------------------


def test_l5_empty_optional_texts_are_null() -> None:
    names = ("stack", "screen", "app_version", "build_number", "request_id", "user_id_hash", "device_id_hash")
    event = parse(**dict.fromkeys(names, ""), route_or_procedure="", event_id="", metadata={})

    assert [getattr(event, name) for name in (*names, "route", "event_id", "metadata")] == [None] * 10


def test_l5_empty_texts_do_not_change_the_group() -> None:
    assert parse(stack="", route_or_procedure="").fingerprint == parse().fingerprint


@pytest.mark.parametrize("value", ["", None])
def test_l5_an_empty_fingerprint_counts_as_absent(value: str | None) -> None:
    assert parse(fingerprint=value).fingerprint == parse().fingerprint


def test_a_clients_own_fingerprint_is_used_verbatim() -> None:
    assert parse(fingerprint=" Mine/É ").fingerprint == " Mine/É "


@pytest.mark.parametrize("own", ["f" * 257, "é" * 129])
def test_a_fingerprint_over_its_cap_is_refused(own: str) -> None:
    assert refusal(fingerprint=own) == "fingerprint exceeds 256 bytes"


# --- L6: metadata -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ['{"a": [1, null]}', "[1, 2]", ' \n{"a":"é"}'])
def test_l6_metadata_as_json_text_is_stored_as_the_value(text: str) -> None:
    assert json.loads(parse(metadata=text).metadata or "") == json.loads(text)


@pytest.mark.parametrize("text", ["plain", "{broken", "123", "true", '"quoted"', "[1,"])
def test_l6_metadata_as_any_other_text_stays_a_text(text: str) -> None:
    assert json.loads(parse(metadata=text).metadata or "") == text


@pytest.mark.parametrize("metadata", [{"k": "x" * 4089}, ["é" * 2047], "x" * 4095])
def test_metadata_over_its_limit_is_refused_by_name(metadata: Any) -> None:
    assert refusal(metadata=metadata) == "metadata exceeds 4096 bytes"
    assert refusal(metadata=metadata, limits=STRICT) == "metadata exceeds 4096 bytes"


def test_metadata_may_be_as_long_as_its_limit() -> None:
    assert len((parse(metadata={"k": "x" * 4088}).metadata or "").encode()) == 4096


def test_metadata_may_be_64_levels_deep_and_no_deeper() -> None:
    assert parse(metadata=json.loads("[" * 64 + "]" * 64)).metadata == "[" * 64 + "]" * 64
    assert refusal(metadata=json.loads("[" * 66 + "]" * 66)) == "metadata is nested deeper than 64 levels"


# --- L7: over-long texts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "limit"), [("message", 2048), ("stack", 8192)])
def test_l7_a_text_is_cut_at_its_limit_in_bytes_on_a_character_boundary(name: str, limit: int) -> None:
    assert getattr(parse(**{name: "x" * limit}), name) == "x" * limit
    assert getattr(parse(**{name: "x" * (limit + 1)}), name) == "x" * limit
    assert getattr(parse(**{name: "a" + "€" * limit}), name) == "a" + "€" * ((limit - 1) // 3)
    assert getattr(parse(**{name: "😀" * limit}), name) == "😀" * (limit // 4)


@pytest.mark.parametrize(("name", "limit"), sorted(CAPS.items()))
def test_l7_the_other_texts_are_cut_at_theirs(name: str, limit: int) -> None:
    column = {"route_or_procedure": "route"}.get(name, name)

    assert getattr(parse(**{name: "é" * limit}), column) == "é" * (limit // 2)


def test_l7_the_fingerprint_is_computed_before_anything_is_cut() -> None:
    long = "x" * 3000
    stack = "  at node_modules/a.js:1:1\n" * 400 + "at mine (b.js)"

    event = parse(message=long, stack=stack)

    whole = fingerprint(grouping="v1", source="api", error_type="E", route="", message=long, stack=stack)
    assert event.fingerprint == whole
    assert event.fingerprint != parse(message=event.message, stack=event.stack).fingerprint


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"message": "x" * 2049}, "message exceeds 2048 bytes"),
        ({"message": "é" * 1025}, "message exceeds 2048 bytes"),
        ({"stack": "x" * 8193}, "stack exceeds 8192 bytes"),
        ({"message": "x" * 2049, "stack": "x" * 8193}, "message exceeds 2048 bytes"),
        ({"stack": "x" * 8193, "metadata": ["x" * 4096]}, "stack exceeds 8192 bytes"),
        ({"metadata": ["x" * 4096], "error_type": ""}, "metadata exceeds 4096 bytes"),
        ({"message": "x" * 2049, "error_type": ""}, "message exceeds 2048 bytes"),
    ],
)
def test_l7_strict_limits_refuse_in_the_order_and_words_of_the_contract(fields: dict[str, Any], text: str) -> None:
    assert refusal(limits=STRICT, **fields) == text


def test_l7_strict_limits_take_what_just_fits() -> None:
    event = parse(limits=STRICT, message="é" * 1024, stack="x" * 8192)

    assert (len(event.message.encode()), len(event.stack or "")) == (2048, 8192)


def test_the_texts_name_the_configured_limits() -> None:
    small = Limits(message=10, stack=20, metadata=30, strict=True)

    assert refusal(limits=small, message="x" * 11) == "message exceeds 10 bytes"
    assert refusal(limits=small, stack="x" * 21) == "stack exceeds 20 bytes"
    assert refusal(limits=small, metadata=["x" * 30]) == "metadata exceeds 30 bytes"


# --- L10: http_status -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        *((404, 404), ("404", 404), (404.0, 404), (0, 0), (65535, 65535), (None, None)),
        *((65536, None), (-1, None), ("65536", None), ("-1", None), ("abc", None), ("", None), ("4 04", None)),
    ],
)
def test_l10_http_status_is_a_number_a_numeric_text_or_null(sent: Any, stored: int | None) -> None:
    assert parse(http_status=sent).http_status == stored


# --- Grouping, ids, decoding ------------------------------------------------------------------------------------


def test_the_projects_grouping_chooses_the_fingerprint() -> None:
    fields = {"route_or_procedure": "/users/123", "stack": "TypeError: x 5\n  at f (a.js:1:2)"}

    assert parse(grouping="v1", **fields).fingerprint != parse(grouping="v2", **fields).fingerprint
    assert (
        parse(grouping="v2", **fields).fingerprint
        == parse(grouping="v2", **{**fields, "route_or_procedure": "/users/9"}).fingerprint
    )


def test_an_event_id_has_up_to_64_characters_of_any_kind() -> None:
    assert parse(event_id="é" * 64).event_id == "é" * 64
    assert refusal(event_id="x" * 65) == "event_id exceeds 64 characters"


def test_the_default_id_fills_in_for_a_missing_event_id() -> None:
    def parsed(event_id: str | None) -> str | None:
        raw = {"error_type": "E", "event_id": event_id}
        return parse_event(raw, limits=Limits(), grouping="v1", now_ms=NOW, default_id="key").event_id

    assert (parsed("own"), parsed(None), parsed("")) == ("own", "key", "key")


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"\\ud83d"', "\ufffd"),
        (b'"\\uDE00\\uD83D"', "\ufffd\ufffd"),
        (b'"\\\\ud83d \\ud83d"', "\\ud83d \ufffd"),
        (b'"\\\\\\ud83d"', "\\\ufffd"),
        (b'{"\\udfff":[1e3]}', {"\ufffd": [1000.0]}),
        (b"\xef\xbb\xbf[1]", [1]),
    ],
)
def test_lone_surrogates_become_the_replacement_character_and_pairs_stay(body: bytes, value: Any) -> None:
    assert decode_json(body) == value


# --- Anything at all --------------------------------------------------------------------------------------------

texts = st.text(st.characters(codec="utf-8"), max_size=40) | st.text("é€😀\x00", min_size=60, max_size=300)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
names = st.sampled_from([*sorted(CAPS), "timestamp", "source", "message", "stack", "fingerprint", "metadata"])
likely = st.fixed_dictionaries(
    {"error_type": texts},
    optional={
        **dict.fromkeys(("message", "stack", "release", "route_or_procedure", "fingerprint", "event_id"), texts),
        "timestamp": st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
        "http_status": scalars,
        "metadata": values,
        "source": st.sampled_from(["api", "Python", "", "?"]),
    },
)
arbitrary = values | st.dictionaries(names, values, max_size=6) | likely
TEXT_CAPS = {
    **{name: cap for name, cap in CAPS.items() if name != "route_or_procedure"},
    "route": 1024,
    "message": 2048,
    "stack": 8192,
    "metadata": 4096,
    "source": 32,
}


def attempt(read: Callable[[], Any]) -> tuple[Any, str | None]:
    """What was read and None, or None and the reason of the EventInvalid; any other exception is a bug."""
    try:
        return read(), None
    except EventInvalid as refused:
        return None, str(refused)


def assert_fits(event: Event) -> None:
    for name, cap in TEXT_CAPS.items():
        value = getattr(event, name)
        assert value is None or len(value.encode()) <= cap, name  # encode() fails on a surrogate
        assert value is None or "\x00" not in value, name
    for name, cap in (("fingerprint", 256), ("event_id", 64)):
        value = getattr(event, name)
        assert value is None or (len(value) <= cap and "\x00" not in value), name
        assert (value or "").encode() is not None
    assert event.error_type
    assert event.message
    assert event.release
    assert event.environment
    assert event.fingerprint
    assert 0 < event.timestamp_ms <= NOW + DAY_MS
    assert event.http_status is None or 0 <= event.http_status <= 65_535
    assert event.metadata is None or json.loads(event.metadata) is not None


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(raw=arbitrary)
def test_any_json_is_refused_or_becomes_an_event_that_fits_and_can_be_stored(raw: Any, shop: NewProject) -> None:
    event, reason = attempt(
        lambda: parse_event(decode_json(json.dumps(raw).encode()), limits=Limits(), grouping="v1", now_ms=NOW)
    )
    if reason is not None:
        assert reason
        return

    assert_fits(event)
    assert decode_events(encode_events([event])) == [event]
    EventRow.objects.all().delete()
    Issue.objects.all().delete()
    record_events([Received(shop.project.pk, NOW, event)])
    row = EventRow.objects.select_related("issue").get()
    assert row.issue.fingerprint == event.fingerprint
    stored = {name: getattr(row, name) for name in Event.__struct_fields__ if name != "fingerprint"}
    assert stored == {name: getattr(event, name) for name in stored}


@settings(max_examples=300)
@given(st.binary(max_size=200) | st.text(max_size=60).map(lambda text: text.encode("utf-16", "surrogatepass")))
def test_any_bytes_are_json_or_refused(body: bytes) -> None:
    value, reason = attempt(lambda: decode_json(body))

    assert reason != ""
    if reason is None:
        assert json.loads(json.dumps(value)) == value


@settings(max_examples=300)
@given(st.text('\\ud8DCe0F"a9', max_size=40))
def test_any_mix_of_escapes_is_a_text_without_surrogates_or_refused(inner: str) -> None:
    value, reason = attempt(lambda: decode_json(f'"{inner}"'.encode()))
    if reason is not None:
        return

    assert value == json.loads(f'"{inner}"').encode("utf-16", "surrogatepass").decode("utf-16", "replace")
