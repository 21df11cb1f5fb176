import time

import pytest

from errors.framepos import Filenames, Position, position_of

POSITIONS = [
    ("at f (app.js:1:200)", ("app.js", 1, 200)),
    ("at f (https://x.example/static/app.js:1:200)", ("https://x.example/static/app.js", 1, 200)),
    ("at https://x.example/app.js:1:200", ("https://x.example/app.js", 1, 200)),
    ("at async Promise.all (https://x/app.js:3:4)", ("https://x/app.js", 3, 4)),
    ("at async https://x/app.js:3:4", ("https://x/app.js", 3, 4)),
    ("app.js:1:2", ("app.js", 1, 2)),
    ("https://x/app.js:1:2:3", ("https://x/app.js:1", 2, 3)),
    # query strings and fragments
    ("at f (https://x/app.js?v=1.2:1:2)", ("https://x/app.js", 1, 2)),
    ("at f (https://x/app.js?v=/other.js#main:1:2)", ("https://x/app.js", 1, 2)),
    ("at https://x/app.js#/route:1:2", ("https://x/app.js", 1, 2)),
    # Firefox and Safari
    ("f@https://x/app.js:1:2", ("https://x/app.js", 1, 2)),
    ("foo/bar<@https://x/app.js:1:2", ("foo/bar<@https://x/app.js", 1, 2)),
    ("@https://x/app.js:1:2", ("https://x/app.js", 1, 2)),
    ("global code@https://x/app.js:1:2", ("https://x/app.js", 1, 2)),
    ("f@app.js:1:2", ("app.js", 1, 2)),
    ("at f (https://cdn.example/npm/pkg@1.2.0/app.js:1:2)", ("https://cdn.example/npm/pkg@1.2.0/app.js", 1, 2)),
    # V8's eval and Hermes
    ("at eval (eval at foo (https://x/app.js:1:2), <anonymous>:3:4)", ("https://x/app.js", 1, 2)),
    ("at f (address at index.android.bundle:1:2345)", ("index.android.bundle", 1, 2345)),
    # paths
    ("at f (/srv/my app/app.js:1:2)", ("/srv/my app/app.js", 1, 2)),
    (r"at f (C:\app\app.js:1:2)", (r"C:\app\app.js", 1, 2)),
    ("at f (https://x/app/(shop)/page.js:1:2)", ("https://x/app/(shop)/page.js", 1, 2)),
    ("at https://x/app/(shop)/page.js:1:2", ("https://x/app/(shop)/page.js", 1, 2)),
]
NOWHERE = [
    "",
    "TypeError: x is undefined",
    "at f (native)",
    "f@[native code]",
    "at Array.map (<anonymous>)",
    "at f (app.js:1)",
    'File "app.py", line 3, in f',
    "at com.example.Shop.main(Shop.java:12)",
    "at f (app.js:-1:2)",
    "at f (:1:2)",
    "at f (?v=1:1:2)",
    "at f (app.js:99999999999:1)",
    "at f (app.js:1:99999999999)",
]


@pytest.mark.parametrize(("line", "expected"), POSITIONS)
def test_a_position_is_found_however_a_browser_writes_it(line: str, expected: tuple[str, int, int]):
    assert position_of(line) == Position(*expected)


@pytest.mark.parametrize("line", NOWHERE)
def test_a_line_without_one_has_none(line: str):
    assert position_of(line) is None


@pytest.mark.parametrize(
    "piece", ["(", ":1", ":1:1", "(:1:1", "a:1", "eval at (", "@", ":", "1", "?", "(eval at ", ":1:1)"]
)
def test_no_line_takes_long(piece: str):
    begun = time.process_time()

    for line in (
        piece * (65_536 // len(piece)),
        f"({piece * (65_536 // len(piece))}",
        f"(eval at {piece * 8_000}:1:1)",
    ):
        position_of(line)

    assert time.process_time() - begun < 0.5


@pytest.mark.parametrize(
    ("file", "is_script"),
    [
        ("app.js", True),
        ("/a/b.MJS", True),
        ("index.android.bundle", True),
        ("https://x/page", True),
        ("src/app.tsx", True),
        ("src/main.rs", False),
        ("main.go", False),
        ("<anonymous>", False),
    ],
)
def test_a_place_in_javascript_is_known_by_its_file(file: str, *, is_script: bool):
    assert Position(file, 1, 1).is_script is is_script


BEST = [
    ("https://x/static/app.js", ["app.js.map"], "app.js.map"),
    ("app.js", ["app.js.map"], "app.js.map"),
    ("app.js", ["app.js"], "app.js"),
    ("https://x/app.js.map", ["app.js.map"], "app.js.map"),  # equals the filename
    ("https://x/myapp.js", ["app.js.map"], None),  # not at the border of a segment (W41)
    ("https://x/my-app.js", ["app.js.map"], None),
    ("https://x/my/app.js", ["y/app.js.map"], None),
    ("https://x/a/app.js", ["app.js.map", "a/app.js.map", "b/app.js.map"], "a/app.js.map"),
    ("https://x/c/app.js", ["app.js.map", "a/app.js.map", "b/app.js.map"], "app.js.map"),
    ("https://x/a/app.js", ["https://x/a/app.js.map", "app.js.map"], "https://x/a/app.js.map"),
    ("https://x/a/app.js", ["/a/app.js.map"], "/a/app.js.map"),
    (r"C:\web\app.js", ["app.js.map"], "app.js.map"),
    ("https://x/app.js", ["app.js", "app.js.map"], "app.js.map"),
    ("https://x/app.min.js", ["app.js.map"], None),
    ("https://x/App.js", ["app.js.map"], None),
    ("app.js", ["static/app.js.map"], None),
    ("https://x/", [".map", ""], None),
    ("https://x/app.js", [], None),
    ("https://x/etc/passwd", ["../../etc/passwd.map"], None),
]


@pytest.mark.parametrize(("file", "filenames", "best"), BEST)
def test_the_longest_filename_that_ends_the_path_at_a_segment_is_the_map(
    file: str, filenames: list[str], best: str | None
):
    assert Filenames(filenames).best(file) == best
    assert Filenames(reversed(filenames)).best(file) == best
