import itertools
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64_hexdigest

from errors import fingerprint as module
from errors.fingerprint import (
    GROUPINGS,
    fingerprint,
    normalise_frame_v2,
    normalise_message,
    normalise_message_v2,
    normalise_route_v2,
    top_frame,
    top_frame_v2,
)

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "fingerprints.json").read_text("utf-8"))

UNDEFINED_ID = "Cannot read property 'id' of undefined"
PYTHON_TRACEBACK = """Traceback (most recent call last):
  File "/app/.venv/lib/python3.11/site-packages/django/core/handlers/base.py", line 197, in _get_response
    response = wrapped_callback(request, *args, **kwargs)
  File "/app/shop/views.py", line 41, in checkout
    total = price(cart)
  File "/app/shop/cart.py", line 12, in price
    return Decimal(json.loads(cart.raw)["total"])
  File "/usr/local/lib/python3.11/json/__init__.py", line 346, in loads
    return _default_decoder.decode(s)
ValueError: bad cart 9
"""


FRAMEWORK_MARKERS = (
    *("node_modules/", "UIKitCore", "CoreFoundation", "libdispatch", "Foundation", "SwiftUI"),
    *("java.lang.", "android.os.", "kotlin.", "com.apple."),
)


def grouped(grouping: str = "v1", **changed: str) -> str:
    event = {"source": "api", "error_type": "E", "route": "", "message": "boom", "stack": ""}
    return fingerprint(grouping=grouping, **(event | changed))


# --- The vectors of the contract ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "normalised"),
    [
        ("Error at 192.168.1.1 for user abc123", "error at <ip> for user abc<n>"),
        ("Failed for 550e8400-e29b-41d4-a716-446655440000", "failed for <uuid>"),
        ("  Timeout after 5000ms  ", "timeout after <n>ms"),
        ("hit 10.0.0.300 and v1.2.3.4.5", "hit <ip> and v<ip>.<n>"),
        ("id 550E8400-E29B-41D4-A716-446655440000x9 at 1.2.3.4:80", "id <uuid>x<n> at <ip>:<n>"),
    ],
)
def test_messages_are_normalised_as_in_the_contract(message: str, normalised: str) -> None:
    assert normalise_message(message) == normalised


@pytest.mark.parametrize(
    ("source", "error_type", "route", "message", "stack", "expected"),
    [
        ("api", "TypeError", "/users", UNDEFINED_ID, "", "c6be5b205cdb4fae"),
        ("api", "TimeoutError", "", "Timeout after 5000ms", "", "fce55abd526cad59"),
        ("api", "TimeoutError", "", "Timeout after 3000ms", "", "fce55abd526cad59"),
        (
            "api",
            "TypeError",
            "/users",
            UNDEFINED_ID,
            "  at MyApp.handleError (src/handler.ts:42:10)\n  at node_modules/express/lib/router.js:100:5",
            "e47d11c6f635cba3",
        ),
        ("ios", "NetworkError", "", "Error at 192.168.1.1 for user abc123", "", "ed67f7c17a882892"),
        ("api", "RuntimeError", "", "Connection refused at 10.0.0.1:5432", "", "bfd5affb16f80c99"),
        (
            "ios",
            "NetworkError",
            "/api/feed",
            "The request timed out",
            "0   UIKitCore  0x1a\n1   Acme  0x00000001045 FeedVC.load line 67",
            "ee2144fde7b88a0c",
        ),
        (
            "android",
            "IllegalStateException",
            "",
            "Fragment not attached",
            ("java.lang.IllegalStateException: Fragment not attached\n\tat com.acme.Settings.save(Settings.java:123)"),
            "1929ec9bad1ef150",
        ),
        (
            "api",
            "E",
            "",
            "boom",
            "   at node_modules/x/y.js:1:2\n  at node_modules/z.js:3:4",
            "589060169417f700",
        ),
        ("api", "ValueError", "POST /checkout", "bad cart 9", PYTHON_TRACEBACK, "c001f23f4ecffb60"),
        ("api", "E", "", "Ünïcode ÀÉ 12", "", "dd07914a869e2cae"),
    ],
)
def test_fingerprints_are_those_of_the_contract(
    *, source: str, error_type: str, route: str, message: str, stack: str, expected: str
) -> None:
    found = grouped(source=source, error_type=error_type, route=route, message=message, stack=stack)
    assert found == expected


@pytest.mark.parametrize(("delay", "expected"), [(5000, "e96bafa035e3f26b"), (3000, "1f854f2f289c826d")])
def test_v1_keeps_the_known_flaw_that_the_header_of_a_javascript_stack_splits_a_group(
    delay: int, expected: str
) -> None:
    message = f"Timeout after {delay}ms"
    stack = f"TimeoutError: {message}\n    at load (src/load.ts:{delay}:7)"
    assert grouped(error_type="TimeoutError", route="/users", message=message, stack=stack) == expected


def test_v2_mends_that_flaw() -> None:
    def event(delay: int) -> str:
        message = f"Timeout after {delay}ms"
        stack = f"TimeoutError: {message}\n    at load (src/load.ts:{delay}:7)"
        return grouped("v2", error_type="TimeoutError", route="/users", message=message, stack=stack)

    assert event(5000) == event(3000)


# --- The fine print of v1 -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "normalised"),
    [
        ("", ""),
        ("abc٣٤٥ 42", "abc<n> <n>"),
        ("١.٢.٣.٤", "<ip>"),
        ("half ½ and ² and Ⅷ", "half ½ and ² and ⅷ"),
        ("İSTANBUL", "i̇stanbul"),
        ("ΟΔΟΣ ΣΟΦΟΣ1", "οδος σοφος<n>"),
        ("STRAẞE", "straße"),
        ("\x85\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000 x \t\v\f\r\n", "x"),
        ("\x1cx\x1f", "\x1cx\x1f"),
        ("\u200bx\ufeff", "\u200bx\ufeff"),
        ("1.2.3.45678901-1111-2222-3333-444455556666", "<n>.<n>.<n>.<uuid>"),
        ("550e8400-e29b-41d4-a716-4466554400009", "<uuid><n>"),
        ("550e8400e29b41d4a716446655440000", "<n>e<n>e<n>b<n>d<n>a<n>"),
        ("1234.5.6.7890", "<n><ip><n>"),
        ("-5 and 1,000.25", "-<n> and <n>,<n>.<n>"),
    ],
)
def test_the_fine_print_of_message_normalisation_holds(message: str, normalised: str) -> None:
    assert normalise_message(message) == normalised


@pytest.mark.parametrize(
    ("stack", "frame"),
    [
        ("", ""),
        (" \n\r\n\t\n", ""),
        ("a:1:2 b:3 line 4 c", "a b c"),
        ("a:1:2:3", "a"),
        ("f (line 4)", "f (line 4)"),
        ("f, line 4, in g", "f,, in g"),
        ("  at f (x.js:1:2)\r\n  at g (y.js:1:2)\r\n", "at f (x.js)"),
        ("at f\rat g\nat h", "at f\rat g"),
        ("at f\u2028at g\x85at h\nat i", "at f\u2028at g\x85at h"),
        ("\u3000at f (x.js:1:2)\x85", "at f (x.js)"),
        ("\x1cat f", "\x1cat f"),
        (":12:3", ""),
        ("at f:٣", "at f"),
        ("UIKITCORE 0x1", "UIKITCORE 0x1"),
        ("MyFoundationKit f\nat own (x:1)", "at own (x)"),
        ("at kotlin.run(A.kt:1)\nat java.lang.Thread.run(T.java:2)\n", "at kotlin.run(A.kt:1)"),
        *((f"x {marker} y:9\nat own (x:1)", "at own (x)") for marker in FRAMEWORK_MARKERS),
    ],
)
def test_the_top_frame_of_v1_is_the_first_line_that_no_framework_owns(stack: str, frame: str) -> None:
    assert top_frame(stack) == frame


def test_the_sanity_value_of_the_hash_is_that_of_the_contract() -> None:
    assert xxh3_64_hexdigest(b"") == "2d06800538d394c2"


@pytest.mark.parametrize("field", ["error_type", "route", "source"])
def test_v1_takes_type_route_and_source_as_they_are(field: str) -> None:
    assert len({grouped(**{field: text}) for text in ("A 1", "a 1", "a 2", " a 2")}) == 4


# --- v2 -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stack", "frame"),
    [
        ("", ""),
        (
            "TypeError: x is 7\nand more of it\n    at async Cart.add (https://cdn.example.com/a/cart.js:1:200)\n",
            "Cart.add (/a/cart.js)",
        ),
        (
            (
                "Error: x\n    at Array.map (<anonymous>)\n    at node:internal/process/task_queues:95:5\n"
                "    at next (/app/node_modules/express/router.js:2:3)\n    at src/own.ts:4:5"
            ),
            "src/own.ts",
        ),
        ("Error: x\n    at next (/app/node_modules/x/router.js:2:3)", "next (/app/node_modules/x/router.js)"),
        (
            "render@https://example.com/static/main.3f2a1b9c.js:1:20411\nrun@x.js:1:2",
            "render@/static/main.<hash>.js",
        ),
        ("forEach@[native code]\nglobal code@https://example.com/app.js:3:1", "global code@/app.js"),
        (
            "    at setup (webpack-internal:///./src/App.vue?vue&a=b&1a2b:12:5)",
            "setup (webpack-internal:///./src/App.vue)",
        ),
        (PYTHON_TRACEBACK, "/app/shop/cart.py in price"),
        (
            '  File "<frozen runpy>", line 1, in a\n  File "/usr/lib/python3.11/ast.py", line 2, in b\nX',
            "/usr/lib/python3.<n>/ast.py in b",
        ),
        (
            '  | Traceback (most recent call last):\n  |   File "/app/a.py", line 3, in g\n  | ValueError: 1',
            "/app/a.py in g",
        ),
        ('  File "/app/a.py", line 3\n    x = = 1\nSyntaxError: invalid syntax', "/app/a.py in <module>"),
        (
            "    at checkout (/venv/lib/site-packages/x.py:12)\n    at price (shop/cart.py:9)",
            "price (shop/cart.py)",
        ),
        (
            (
                "java.lang.IllegalStateException: no 5\n\tat java.base/java.util.Optional.get(O.java:1)\n"
                "\tat com.acme.Settings$1.save(Settings.java:123) ~[app-1.2.jar:1.2]\n"
            ),
            "com.acme.Settings$<n>.save(Settings.java)",
        ),
        (
            "kotlin.E\n\tat kotlin.a.b(C.kt:1)\n\tat com.acme.FeedKt.load(Feed.kt:8)",
            "com.acme.FeedKt.load(Feed.kt)",
        ),
        (
            "   at System.Linq.First[T]()\n   at Acme.Cart.Add(Int32 id) in /src/Cart.cs:line 12",
            "Acme.Cart.Add(Int32 id) in /src/Cart.cs",
        ),
        (
            "0   UIKitCore  0x1a  f + 1\n1   Acme  0x0000000104500000 FeedVC.load(id:) + 67",
            "Acme  <hex> FeedVC.load(id:)",
        ),
        ("0   libswiftCore.dylib  0x1a  f\n12  MyFoundationKit  0x1b  g line 3", "MyFoundationKit  <hex>  g"),
        (
            "/gems/rack-3.1/lib/rack.rb:4:in 'call'\napp/models/cart.rb:12:in 'Cart#add': bad 9 (E)",
            "app/models/cart.rb:in 'Cart#add'",
        ),
        ("app/cart.rb:3:in `block in add'", "app/cart.rb:in `block in add'"),
        (
            (
                "panic: boom 7\n\ngoroutine 18 [running]:\nmain.report(0x1)\n\t/app/report.go:3 +0x1d\n"
                "panic({0x1, 0x2})\n\t/usr/local/go/src/runtime/panic.go:914 +0x21f\n"
                "main.(*Cart).Add(0xc000012345, {0x1, 0x2})\n\t/app/cart.go:41 +0x1d\n"
            ),
            "main.(*Cart).Add",
        ),
        (
            (
                "thread 'main' panicked at src/main.rs:3:5:\nboom\nstack trace:\n   0: rust_begin_unwind\n"
                "             at /rustc/07dca489/library/std/src/panicking.rs:645:5\n"
                "   1: core::option::unwrap\n   2: acme::cart::add::h0123456789abcdef\n"
                "             at ./src/cart.rs:4:9\n"
            ),
            "acme::cart::add",
        ),
        (
            (
                "#0 /app/vendor/laravel/x.php(12): Illuminate\\Pipeline->run('a')\n"
                "#1 /app/src/Cart.php(41): Acme\\Cart->add('secret', Object(X))\n#2 {main}"
            ),
            "/app/src/Cart.php: Acme\\Cart->add",
        ),
        (
            "#0      build (package:flutter/w.dart:5:3)\n#1      Cart.add (package:acme/cart.dart:9:4)",
            "Cart.add (package:acme/cart.dart)",
        ),
        ("Something unknown 17 happened", "something unknown <n> happened"),
    ],
)
def test_v2_takes_the_own_frame_nearest_to_the_error(stack: str, frame: str) -> None:
    assert top_frame_v2(stack) == frame


@pytest.mark.parametrize(
    ("frame", "normalised"),
    [
        ("f (main.3f2a1b9c.js:1:2)", "f (main.<hash>.js)"),
        ("f (2.a1b2c3d4.chunk.js:1:2)", "f (<n>.<hash>.chunk.js)"),
        ("f (index-B7kQz_1a.js:1:2)", "f (index-<hash>.js)"),
        ("f (chunk-XKJHLQPD.mjs:1:2)", "f (chunk-<hash>.mjs)"),
        ("f (pages/_app-0f1e2d3c4b5a6978.js)", "f (pages/_app-<hash>.js)"),
        ("f (user-settings.js:3)", "f (user-settings.js)"),
        ("f (index-UserMenu.js:3)", "f (index-UserMenu.js)"),
        ("f (my-facade.js)", "f (my-facade.js)"),
        ("f (jquery-3.7.1.min.js)", "f (jquery-<n>.<n>.<n>.min.js)"),
        ("step2 (api/v1.py)", "step2 (api/v1.py)"),
        ("f (/srv/releases/20260101/a.py)", "f (/srv/releases/<n>/a.py)"),
        ("f (/b/550e8400-e29b-41d4-a716-446655440000/a.js)", "f (/b/<uuid>/a.js)"),
        ("Lambda/0x00007f01 (a)", "Lambda/<hex> (a)"),
    ],
)
def test_v2_frames_lose_what_changes_between_builds_only(frame: str, normalised: str) -> None:
    assert normalise_frame_v2(frame) == normalised


@pytest.mark.parametrize(
    ("route", "normalised"),
    [
        ("", ""),
        ("/users/123", "/users/<n>"),
        ("GET /users/123/orders/7.json", "GET /users/<n>/orders/<n>.json"),
        ("/users/550e8400-e29b-41d4-a716-446655440000", "/users/<uuid>"),
        ("/files/65f0c0ffee65f0c0ffee65f0/raw", "/files/<hex>/raw"),
        ("/orders/12345678901234567890", "/orders/<n>"),
        ("/search?q=shoes&page=2", "/search"),
        ("/api/v1/users", "/api/v1/users"),
        ("/2fa/Setup", "/2fa/Setup"),
        ("user.byId", "user.byId"),
    ],
)
def test_v2_routes_lose_their_ids(route: str, normalised: str) -> None:
    assert normalise_route_v2(route) == normalised


@pytest.mark.parametrize(
    ("message", "normalised"),
    [
        ("Segfault at 0x00007FFE and 0XAB", "segfault at <hex> and <hex>"),
        ("commit 65f0c0ffee65f0c0ffee not found", "commit <hex> not found"),
        ("decade deadbeef", "decade deadbeef"),
        ("took 1.5s, then 1,000 ms, then 20", "took <n>s, then <n> ms, then <n>"),
        ("No mail for Jo.Doe+x@mail.example.com.", "no mail for <email>."),
        ("lodash@4.17.21 is missing", "lodash@<n> is missing"),
        ("at 10.0.0.1:5432", "at <ip>:<n>"),
        ("id 12345678901234567890", "id <n>"),
        (UNDEFINED_ID, UNDEFINED_ID.lower()),
    ],
)
def test_v2_messages_lose_more_kinds_of_values_and_keep_quoted_names(message: str, normalised: str) -> None:
    assert normalise_message_v2(message) == normalised


def test_no_event_of_one_version_is_hashed_as_one_of_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[bytes] = []
    monkeypatch.setattr(module, "xxh3_64_hexdigest", hashed.append)
    grouped("v1", source="v2", error_type="api")
    grouped("v2", source="api")
    assert hashed == [b"v2:api::boom:", b"v2\0api\0E\0\0boom\0"]


def test_an_unknown_grouping_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown grouping: 'v3'"):
        grouped("v3")


# --- Recorded, and true of any text -------------------------------------------------------------------------


@pytest.mark.parametrize("case", GOLDEN, ids=[f"{case['grouping']} {case['name']}" for case in GOLDEN])
def test_a_recorded_fingerprint_never_changes(case: dict[str, Any]) -> None:
    """A failure here is a broken promise, not an old file: change an algorithm as a new version."""
    assert fingerprint(grouping=case["grouping"], **case["input"]) == case["hash"]


def test_every_version_has_recorded_fingerprints() -> None:
    names = [(case["grouping"], case["name"]) for case in GOLDEN]
    assert len(names) == len(set(names)) >= 40
    assert {grouping for grouping, _ in names} == set(GROUPINGS)


ANY_TEXT = st.text(st.characters())  # surrogates included
# Text made of what the patterns look for, so that examples get past the first character.
LIKELY_PIECES = st.sampled_from(
    [
        *"0aF-.:@#?'`|/() \t\r\n\\<>+",
        *("at ", 'File "', " line 1", ", line 1, in ", ".go:1", "::", "0x1f", ".js:1", "panic(", ":in "),
        *("550e8400-e29b-41d4-a716-446655440000", "1.2.3.4", "node_modules/", "https://", "\ud83d"),
    ]
)
LIKELY_TEXT = st.lists(LIKELY_PIECES, max_size=30).map("".join)


@pytest.mark.parametrize("grouping", GROUPINGS)
@given(texts=st.tuples(*[ANY_TEXT | LIKELY_TEXT] * 5))
def test_any_text_gives_the_same_16_hex_digits_twice(grouping: str, texts: tuple[str, ...]) -> None:
    event = dict(zip(("source", "error_type", "route", "message", "stack"), texts, strict=True))
    found = fingerprint(grouping=grouping, **event)
    assert re.fullmatch(r"[0-9a-f]{16}", found)
    assert fingerprint(grouping=grouping, **event) == found


@pytest.mark.parametrize("grouping", GROUPINGS)
def test_lone_surrogates_are_hashed_and_told_apart(grouping: str) -> None:
    assert grouped(grouping, message="\ud83d") != grouped(grouping, message="\ude00")


# No dots and dashes: digits may then form, or stop forming, an address or a UUID, which the contract wants.
WORDS = st.text(st.characters(exclude_categories=["Nd"], exclude_characters=".-"), min_size=1)
NUMBERS = st.text(st.characters(categories=["Nd"]), min_size=1)


@given(parts=st.lists(st.tuples(WORDS, NUMBERS, NUMBERS)))
def test_which_digits_stand_in_a_message_never_changes_a_v1_group(parts: list[tuple[str, str, str]]) -> None:
    one = "".join(word + number for word, number, _ in parts)
    other = "".join(word + number for word, _, number in parts)
    assert grouped(message=one) == grouped(message=other)


STACKS_WITH_LINES = [
    "Error: x {0}\n    at f (/app/node_modules/a.js:{0}:{1})\n    at own (src/a.ts:{1}:{0})",
    "own@https://example.com/a.js:{0}:{1}",
    'Traceback (most recent call last):\n  File "/app/a.py", line {0}, in own\n    x()\nE: {1}',
    "com.acme.E: {0}\n\tat com.acme.A.own(A.java:{1})",
    "    at own (shop/cart.py:{0})",
    "   at Acme.Own() in /src/A.cs:line {0}",
    "0   Acme  0x1f own() + {0}",
    "0   Acme  0x1f own() line {0}",
    "app/a.rb:{0}:in 'own'",
    "goroutine {1} [running]:\nmain.own(0x{1})\n\t/app/a.go:{0} +0x1d",
    "   0: acme::own\n             at ./src/a.rs:{0}:{1}",
    "#0 /app/a.php({0}): own('{1}')\n#1 {{main}}",
    "free text, line {0}:{1}",
]


@pytest.mark.parametrize("stack", STACKS_WITH_LINES)
@given(lines=st.lists(st.integers(0, 10**9), min_size=4, max_size=4))
def test_moved_lines_never_change_a_v2_group(stack: str, lines: list[int]) -> None:
    before, after = stack.format(*lines[:2]), stack.format(*lines[2:])
    assert grouped("v2", stack=before) == grouped("v2", stack=after)


# --- Cost ---------------------------------------------------------------------------------------------------


def cpu_seconds(work: Callable[[], object]) -> float:
    def once() -> float:
        start = time.thread_time()
        work()
        return time.thread_time() - start

    return min(once() for _ in range(3))


HOSTILE = [
    *(
        "7",
        "-",
        ".",
        "a",
        "f-",
        "1.",
        "1.1.1.",
        "x\n",
        " ",
        "\n",
        " \n",
        ":",
        ":1",
        " line ",
        "SwiftUI\n",
        "at ",
    ),
    *(
        "@",
        "a@",
        "a@b.",
        "at (",
        ":in `",
        ":in '",
        "https://",
        "?a",
        "0x",
        "0",
        "[",
        "#1 ",
        "#1 (1",
        "'",
        "(1): ",
    ),
    *('File "', "x.go:\n\t", "::\n0: ", "panic(\n", "-aaaaaaa", ".aaaaaaa.js", "aaaaaaaa-aaaa-", "1 a 0x1"),
    *("/1", "1,", "_1", " + 1"),
]
LEADS = ["", "at (", "a@b", "1 a ", "a:1:in '", "#1 (", 'File "a", line 1\n', "a\n\tb.go:1\n", "::\n0: a"]
TAILS = ["!", " x 0x1 f"]


@pytest.mark.parametrize("grouping", GROUPINGS)
def test_sixteen_times_the_hostile_text_is_nowhere_near_the_square_of_the_work(grouping: str) -> None:
    """Work is CPU time against itself: 16 if linear, 256 if quadratic, whatever the machine."""

    def work(lead: str, piece: str, tail: str, *, length: int) -> float:
        text = lead + piece * (length // len(piece)) + tail
        return cpu_seconds(lambda: grouped(grouping, route=text, message=text, stack=text))

    def is_slow(lead: str, piece: str, tail: str) -> bool:
        # Under 20 microseconds the fixed cost of a call would make any ratio look good or bad.
        once = max(work(lead, piece, tail, length=250), 20e-6)
        return work(lead, piece, tail, length=4000) > 64 * once

    assert [case for case in itertools.product(LEADS, HOSTILE, TAILS) if is_slow(*case)] == []


@pytest.mark.parametrize("piece", ["7", "-", "x\n", "SwiftUI\n"])
@pytest.mark.parametrize("grouping", GROUPINGS)
def test_a_megabyte_of_one_thing_is_hashed(grouping: str, piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    assert len(grouped(grouping, message=text, stack=text)) == 16
