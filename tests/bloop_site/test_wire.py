"""JSON that some writers write and JSON does not know."""

from typing import Any

import pytest

from bloop_site.lib.wire import Unreadable, decode_json


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"[NaN, -Infinity, Infinity, 1e999, -2.5E+400, 1e300]", [None, None, None, None, None, 1e300]),
        (b'{"NaN": "a \\"NaN\\", 1e999", "b": NaN}', {"NaN": 'a "NaN", 1e999', "b": None}),
    ],
)
def test_what_is_no_finite_number_is_null_for_who_wants_it_and_texts_that_say_so_stay(body: bytes, value: Any):
    assert decode_json(body, nan_is_null=True) == value

    with pytest.raises(Unreadable):
        decode_json(body)


@pytest.mark.parametrize(
    "body",
    [b"xNaN", b'"NaN', b'{"a": nan}', b"NaNNaN", b"1" * 1_000_000 + b"x", b'"' + b'\\"' * 500_000, b'"' * 99_999],
)
def test_what_is_no_json_otherwise_is_refused_all_the_same(body: bytes):
    with pytest.raises(Unreadable):
        decode_json(body, nan_is_null=True)
