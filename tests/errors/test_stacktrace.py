"""Reading stacks. `stacks/*.txt` were recorded from Node 20, Python 3.11, Go 1.26, Rust 1.95 and Java 17, and written
after real ones for the others; each has beside it, in `*.read`, what it must be read as.
"""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloop_site.demo.catalogue import ISSUES
from errors.stacktrace import Frame, Stack, parse_stack
from errors.stacktrace.javascript import is_own
from errors.stacktrace.parse import DIALECTS

STACKS = Path(__file__).parent / "stacks"
RECORDED = sorted(path.stem for path in STACKS.glob("*.txt"))


def recorded(name: str) -> str:
    return (STACKS / f"{name}.txt").read_text(encoding="utf-8")


def told(stack: Stack) -> str:
    """A stack as its `.read` file tells it: the dialect, then `#` headers, `own` and `lib` frames, `-` text."""
    lines = [stack.dialect]
    for section in stack.sections:
        lines.append(f"# {section.header!r}")
        lines += [told_frame(frame) for frame in section.frames]
    return "\n".join(lines) + "\n"


def told_frame(frame: Frame) -> str:
    if not frame.is_call:
        return f"- {frame.raw!r}" + ("" if frame.in_app else " (with the library)")
    place = ":".join(str(part) for part in (frame.file, frame.line, frame.column) if part is not None)
    code = "" if frame.source_line is None else f" | {frame.source_line}"
    return f"{'own' if frame.in_app else 'lib'} {frame.function or '-'} | {place or '-'}{code}"


def whole(stack: Stack) -> str:
    return "".join(section.header + "".join(frame.raw for frame in section.frames) for section in stack.sections)


def only(text: str) -> Frame:
    """The one call of a stack."""
    (frame,) = [frame for section in parse_stack(text).sections for frame in section.frames if frame.is_call]
    return frame


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_stack_is_read_as_written_beside_it(name: str):
    assert told(parse_stack(recorded(name))) == (STACKS / f"{name}.read").read_text(encoding="utf-8")


def test_every_language_has_a_recorded_stack():
    assert {parse_stack(recorded(name)).dialect for name in RECORDED} == {dialect for dialect, _, _ in DIALECTS}


@pytest.mark.parametrize("issue", [issue for issue in ISSUES if issue.stack], ids=lambda issue: issue.message[:30])
def test_the_stacks_of_the_demo_show_own_frames(issue):
    stack = parse_stack(issue.stack)

    assert stack.dialect in {"javascript", "python", "apple", "jvm"}
    assert any(frame.is_call and frame.in_app for section in stack.sections for frame in section.frames)


@pytest.mark.parametrize(
    ("line", "function", "file", "position", "in_app"),
    [
        ("    at f (/srv/a.js:1:2)", "f", "/srv/a.js", (1, 2), True),
        ("at /srv/a.js:1:2", None, "/srv/a.js", (1, 2), True),
        ("at async /srv/a.js:1:2", "async <anonymous>", "/srv/a.js", (1, 2), True),
        ("at new Cart (webpack:///./src/cart.ts?a1:3:4)", "new Cart", "webpack:///./src/cart.ts?a1", (3, 4), True),
        ("at f (webpack:///./node_modules/x/i.js:3:4)", "f", "webpack:///./node_modules/x/i.js", (3, 4), False),
        ("at JSON.parse (<anonymous>)", "JSON.parse", "<anonymous>", (None, None), False),
        ("at f (native)", "f", "native", (None, None), False),
        (
            "at w (wasm://wasm/ab12:wasm-function[8]:0x1a3)",
            "w",
            "wasm://wasm/ab12:wasm-function[8]:0x1a3",
            (None, None),
            True,
        ),
        ("f@https://x.example.com/react@18/a.js:1:2", "f", "https://x.example.com/react@18/a.js", (1, 2), True),
        ("@https://x.example.com/a.js:1:2", None, "https://x.example.com/a.js", (1, 2), True),
        ('  File "a.py", line 3, in <module>', "<module>", "a.py", (3, None), True),
        ('  File "<frozen runpy>", line 198, in _run', "_run", "<frozen runpy>", (198, None), False),
        (
            '  File "C:\\Python311\\Lib\\json\\x.py", line 1, in y',
            "y",
            "C:\\Python311\\Lib\\json\\x.py",
            (1, None),
            False,
        ),
        ("\tat com.shop.A$B.c(A.kt:12) ~[shop.jar:1.2]", "com.shop.A$B.c", "A.kt", (12, None), True),
        (
            "\tat java.base/java.lang.Thread.run(Thread.java:840)",
            "java.lang.Thread.run",
            "Thread.java",
            (840, None),
            False,
        ),
        (
            "\tat com.shop.Main$$Lambda/0x0c0.run(Unknown Source)",
            "com.shop.Main$$Lambda/0x0c0.run",
            "Unknown Source",
            (None, None),
            False,
        ),
        ("\tat com.shop.Jni.decode(Native Method)", "com.shop.Jni.decode", "Native Method", (None, None), True),
        ("0 Shop 0x00000001045 Cart.total() + 44", "Cart.total()", "Shop", (None, None), True),
        ("12  Shop  0x0001 0x0002 + 16384", "0x0002 + 16384", "Shop", (None, None), True),
        ("a.rb:12:in `block in total'", "block in total", "a.rb", (12, None), True),
        ("\tfrom C:/shop/a.rb:12:in 'Cart#total'", "Cart#total", "C:/shop/a.rb", (12, None), True),
        ("main.(*Cart).Add(0xc000, {0x1, 0x2})\n\t/srv/a.go:4 +0x1d", "main.(*Cart).Add", "/srv/a.go", (4, None), True),
        (
            "vendor/x.Do()\n\t/go/src/example.com/shop/vendor/x/x.go:4",
            "vendor/x.Do",
            "/go/src/example.com/shop/vendor/x/x.go",
            (4, None),
            False,
        ),
        ("shop.Do()\n\t/go/src/example.com/shop/x.go:4", "shop.Do", "/go/src/example.com/shop/x.go", (4, None), True),
        ("  3: shop::total::h0123456789abcdef\n     at ./src/a.rs:1:2", "shop::total", "./src/a.rs", (1, 2), True),
        (
            "  3: <shop::A as core::fmt::Debug>::fmt\n     at ./a.rs:1:2",
            "<shop::A as core::fmt::Debug>::fmt",
            "./a.rs",
            (1, 2),
            True,
        ),
        ("  3: tower_defence::run\n     at ./a.rs:1:2", "tower_defence::run", "./a.rs", (1, 2), True),
    ],
)
def test_one_frame(line, function, file, position, in_app):
    frame = only(line)

    assert (frame.function, frame.file, (frame.line, frame.column)) == (function, file, position)
    assert frame.in_app is in_app
    assert frame.raw == line


@pytest.mark.parametrize(
    "text",
    [
        "at least one of them failed",
        "at 12:30:45",
        "at home (see the docs)",
        "postgres://user@db:5432",
        "someone@example.com: not found",
        "   at Shop.Cart.Total(Int32 x) in C:\\src\\Cart.cs:line 12",
        "Caused by:\n    0: reading config\n    1: No such file",
        "listening on 0x1f",
        'the File "a.py" is gone',
        "x\n" * 4096,
        "\n\n",
    ],
)
def test_words_that_look_a_little_like_frames_are_words(text: str):
    stack = parse_stack(text)

    assert stack.dialect == ""
    assert [(section.header, section.frames) for section in stack.sections] == [(text, ())]


def test_no_text_has_no_sections():
    assert parse_stack("") == Stack("", ())


def test_windows_line_ends_belong_to_no_name():
    frames = parse_stack("E: x\r\n    at f (a.js:1:2)\r\n    at g (b.js:3:4)\r\n").sections[0].frames

    assert [(frame.function, frame.file, frame.column) for frame in frames] == [("f", "a.js", 2), ("g", "b.js", 4)]


def test_numbers_too_long_for_any_file_are_no_position():
    digits = "9" * 5000

    assert parse_stack(f"at f (a.js:{digits}:1)").sections[0].frames[0].line == 1
    assert only(f'  File "a.py", line {digits}, in f').line is None


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("src/cart/CartLine.tsx", True),
        ("webpack:///src/a.ts", True),
        ("../node_modules/react-dom/index.js", False),
        ("https://cdn.example.com/assets/vendor.11aa.js?v=2", False),
        ("https://cdn.example.com/react-dom.production.min.js", False),
        ("src/vendor.tsx", True),
        ("src/runtime.js", True),
        ("", False),
    ],
)
def test_a_file_of_javascript_is_own_or_a_librarys(file: str, expected: bool):  # noqa: FBT001
    assert is_own(file) is expected


# --- Nothing is lost, nothing raises --------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *(line for name in RECORDED for line in recorded(name).splitlines(keepends=True)),
        *("\n", "\r\n", " ", "\t", "at ", "@", ":1", ":1:2", '  File "', '", line 1, in f\n', "0x1 ", "1: ", "'", "`"),
        *(
            " (",
            ")",
            ":in '",
            "eval at ",
            "\ud800",
            "\u2028",
            "\x00",
            "\x1c",
            "…",
            "| ",
            "+-+-- 1 --",
            " > eval",
            " line 3",
        ),
    ]
)


@given(st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=40).map("".join)))
@settings(max_examples=400, deadline=None)
def test_any_text_is_read_whole_by_every_dialect_and_never_raises(text: str):
    assert whole(parse_stack(text)) == text
    lines = text.splitlines(keepends=True)
    for _, _, read in DIALECTS:
        assert "".join(item.raw for item in read(lines)) == text


KIB8 = 8192
ADVERSARIAL = [
    "a\n" * (KIB8 // 2),
    "\n" * KIB8,
    *(
        (piece * KIB8)[:KIB8]
        for piece in (
            *("a@b:1:1\n", "at a:1:1\n", "at f (", ":1:1", "eval at f (", " > eval line 1 > ", "@", "at f (eval at "),
            *(
                '  File "',
                '", line 1',
                '  File "a", line 1\n    x\n',
                "| +",
                "+-",
                " ",
                "\t ",
                "at a.b(",
                "a.",
                "$$",
                "(a.b:1)",
            ),
            *("0 0x1 ", "1 a 0x1 b\n", " 0x", "crashed ", " in ", " line 1", ":1:in '", ":1:in `", ":1", "1: "),
            *("f(\n\tx.go:1\n", "\tx.go:1 ", "/src/os/", "  1: a\n  at b\n", "::h0123456789abcdef", "   at ", "9"),
        )
    ),
    "at f (" + ":1" * 4000,
    '  File "' + '", line 1' * 900,
    "goroutine 1 [running]:\na()\n\t" + "/src/os/" * 1000 + ".go:1",
]


@pytest.mark.parametrize("number", range(len(ADVERSARIAL)))
def test_a_hostile_stack_of_8_kb_is_read_whole(number: int):
    assert whole(parse_stack(ADVERSARIAL[number])) == ADVERSARIAL[number]


def test_lines_that_are_no_frames_become_one_piece_not_thousands():
    stack = parse_stack("at f (a.js:1:2)\n" + "x\n" * 4000)

    assert [len(section.frames) for section in stack.sections] == [1, 0]
