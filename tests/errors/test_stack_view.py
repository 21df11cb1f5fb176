"""The stack on the issue's page: own frames, library frames folded, original sources, and the raw text."""

import re
from html import unescape

import pytest
from django.template.loader import render_to_string
from django.test import Client

from errors.dashboard.stack_view import LINE_WIDTH, Row, StackView, view_stack
from errors.originals import Context, Original
from projects.services.projects import NewProject
from tests.factories import make_issue

NODE = """TypeError: Cannot read properties of undefined (reading 'price')
    at CartLine (/srv/web/cart.js:42:18)
    at Array.map (<anonymous>)
    at renderWithHooks (/srv/web/node_modules/react-dom/index.js:1:71)
    at main (/srv/web/main.js:3:1)
    at Module._compile (node:internal/modules/cjs/loader:1521:14)
"""
BUNDLED = """TypeError: x is undefined
    at n (https://shop.example.com/app.js:1:200)
    at r (https://shop.example.com/app.js:1:900)
    at t (https://shop.example.com/app.js:1:950)
"""
FIRST, SECOND, THIRD = (line.strip() for line in BUNDLED.splitlines()[1:])
AROUND = Context(before=("function price(line) {", "  // <b>no</b>"), line="  return line.item.price;", after=("}",))


def rows_of(view: StackView) -> list[Row]:
    return [row for section in view.sections for run in section.runs for row in run.rows]


def page_of(client: Client, shop: NewProject, stack: str | None) -> str:
    """The page of an issue whose event brought this stack."""
    make_issue(shop.project, fingerprint="fp", stack=stack)
    return client.get(f"/errors/{shop.project.slug}/fp").content.decode()


def raw_text(html: str) -> str:
    """What a browser takes for the text of the raw stack."""
    found = re.search(r'<pre [^>]*id="stack"[^>]*>(.*?)</pre>', html, re.DOTALL)
    assert found
    return unescape(found[1]).removeprefix("\n")  # the first line end after <pre> is no text


def frames_html(html: str) -> str:
    found = re.search(r'<div class="stack__frames">(.*?)<pre ', html, re.DOTALL)
    assert found
    return found[1]


@pytest.fixture
def client(member_client: Client) -> Client:
    """Signed in as a member of the shop."""
    return member_client


# --- On the page ------------------------------------------------------------------------------------------------


def test_library_frames_are_folded_between_the_own_ones(client: Client, shop: NewProject):
    html = frames_html(page_of(client, shop, NODE))

    folds = re.findall(r'<details class="frames-fold">(.*?)</details>', html, re.DOTALL)
    assert ["2 library frames" in folds[0], "1 library frame<" in folds[1], len(folds)] == [True, True, 2]
    assert "renderWithHooks" in folds[0]
    outside = re.sub(r"<details.*?</details>", "", html, flags=re.DOTALL)
    assert outside.index("CartLine") < outside.index("main")
    assert "<bdi>/srv/web/cart.js</bdi>:42:18" in outside
    assert "node_modules" not in outside


@pytest.mark.parametrize(
    "stack", [NODE, "\n\n" + NODE, "no frames\n\tat all ", "  File \"a.py\", line 1, in <module>\n    x = '<&>'\n"]
)
def test_the_raw_text_is_there_to_the_letter_with_its_copy_button(client: Client, shop: NewProject, stack: str):
    html = page_of(client, shop, stack)

    assert raw_text(html) == stack
    assert html.count('data-copy="#stack"') == 2, "beside the stack, and in the Copy menu"


def test_the_switch_works_by_radios_and_shows_frames_first(client: Client, shop: NewProject):
    html = page_of(client, shop, NODE)

    radios = re.findall(r'<input [^>]*name="stack-as"[^>]*>', html)
    assert [("checked" in radio, re.search(r'value="(\w+)"', radio)[1]) for radio in radios] == [  # type: ignore[index]
        (True, "frames"),
        (False, "raw"),
    ]
    assert '<label class="switch__item" for="stack-as-frames">Parsed</label>' in html
    assert "<legend" in html


def test_a_text_without_frames_is_shown_raw_without_a_switch(client: Client, shop: NewProject):
    html = page_of(client, shop, "it broke\nsomewhere")

    assert raw_text(html) == "it broke\nsomewhere"
    assert "stack-as" not in html
    assert "stack__raw" not in html  # the class that hides it


@pytest.mark.parametrize("stack", [None, ""])
def test_an_event_without_a_stack_says_so(client: Client, shop: NewProject, stack: str | None):
    html = page_of(client, shop, stack)

    assert "This event came without a stack." in html
    assert 'data-copy="#stack"' not in html


@pytest.mark.parametrize(
    "stack",
    [
        "<script>alert(1)</script>\n    at <script>alert(2)</script> (</pre><script>alert(3)</script>.js:1:2)",
        (
            '  File "<script>alert(1)</script>", line 1, in "><script>alert(2)</script>\n'
            "    <script>alert(3)</script>\n<script>alert(4)</script>"
        ),
    ],
)
def test_hostile_text_stays_text(client: Client, shop: NewProject, stack: str):
    html = page_of(client, shop, stack)

    assert "<script>alert" not in html
    assert raw_text(html) == stack


def test_text_that_turns_around_is_isolated_and_its_marks_are_visible(client: Client, shop: NewProject):
    html = page_of(client, shop, "خطأ\n    at دالة (src/سلة.ts:42:18)\n    at x\u202ejs.exe (a.js:1:2)")

    assert '<p class="stack__header" dir="auto">خطأ</p>' in html
    assert '<bdi class="call__function">دالة</bdi>' in html
    assert "<bdi>src/سلة.ts</bdi>:42:18" in html
    assert "\u202e" not in html
    assert "x\\u202ejs.exe" in html


def test_a_traceback_shows_its_code_below_the_call(client: Client, shop: NewProject):
    stack = 'Traceback (most recent call last):\n  File "a.py", line 2, in f\n    1 / 0\n    ~~^~~\nZeroDivisionError'
    html = page_of(client, shop, stack)

    assert '<pre class="call__code">1 / 0\n~~^~~</pre>' in html
    assert '<li class="call__words" dir="auto">ZeroDivisionError</li>' in html


# --- What is folded ---------------------------------------------------------------------------------------------


def test_nothing_is_folded_when_no_frame_is_own():
    view = view_stack("E\n    at a (node:fs:1:2)\n    at b (node:fs:3:4)", originals={})

    assert [run.is_folded for section in view.sections for run in section.runs] == [False]


def test_the_end_of_a_traceback_is_never_folded_with_the_library_above_it():
    view = view_stack(
        'Traceback (most recent call last):\n  File "a.py", line 1, in f\n'
        '  File "/x/site-packages/y.py", line 2, in g\n  [Previous line repeated 9 more times]\nValueError: z\n',
        originals={},
    )

    assert [(run.is_folded, run.library_count, len(run.rows)) for run in view.sections[0].runs] == [
        (False, 1, 1),
        (True, 1, 2),
        (False, 0, 1),
    ]


def test_the_message_behind_the_first_call_of_ruby_stands_below_it():
    view = view_stack("a.rb:1:in 'f': no price (NoMethodError)\n\tfrom a.rb:9:in '<main>'\n", originals={})

    assert [row.words or row.function for row in rows_of(view)] == ["f", "no price (NoMethodError)", "<main>"]


def test_an_indented_group_loses_its_margin():
    (row,) = rows_of(
        view_stack(
            '  | Traceback (most recent call last):\n  |   File "a.py", line 1, in f\n  |     x(\n  |       y)\n',
            originals={},
        )
    )

    assert row.code == "x(\n  y)"


# --- Source maps ------------------------------------------------------------------------------------------------


def test_mapped_frames_show_the_original_and_judge_own_code_by_it():
    originals = {
        FIRST: Original(file="src/cart/price.ts", line=12, column=9, name="price", context=AROUND),
        SECOND: Original(file="../node_modules/react-dom/cjs.js", line=3, column=0),
        THIRD: Original(file="src/cart/total.ts", line=40, column=0, name=None, context=AROUND),
    }

    view = view_stack(BUNDLED, originals=originals)

    assert view.is_mapped
    first, second, third = rows_of(view)
    assert (first.function, first.file, first.position) == ("price", "src/cart/price.ts", ":12:10")
    assert (second.function, second.is_own) == ("r", False)
    assert third.function == "t"
    assert [run.is_folded for run in view.sections[0].runs] == [False, True, False]
    assert [(line.number, line.is_hit) for line in first.source] == [(10, False), (11, False), (12, True), (13, False)]
    assert [row.is_open for row in (first, second, third)] == [True, False, False]


def test_the_source_of_the_first_own_frame_stands_open_and_is_text():
    originals = {line: Original(file="src/a.ts", line=12, column=9, context=AROUND) for line in (FIRST, THIRD)}

    html = render_to_string("errors/_stack.html", {"stack": view_stack(BUNDLED, originals=originals)})

    details = re.findall(r'<details class="call__more"( open)?>', html)
    assert details == [" open", ""]
    assert 'for="stack-as-frames">Original</label>' in html
    hit = re.search(r'<li class="source__line source__line--hit" aria-current="true">(.*?)</li>', html)
    assert hit
    assert hit[1] == '<span class="source__number">12</span><code>  return line.item.price;</code>'
    assert "&lt;b&gt;no&lt;/b&gt;" in html


def test_a_source_line_of_a_megabyte_is_cut():
    context = Context(before=(), line="x" * 1_000_000, after=())

    view = view_stack(BUNDLED, originals={FIRST: Original("a.js", 1, 0, context=context)})

    assert len(rows_of(view)[0].source[0].text) == LINE_WIDTH + 1
