"""An issue as text for elsewhere: nothing a client sent can end the code block, the shell's quotes or the line."""

import re
import shlex
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors.sharing import curl, fenced, markdown, one_line


def ticket(
    *,
    title: str = "TypeError",
    message: str = "it broke",
    stack: str | None = "at f (a.js:1)",
    url: str = "https://b.test/errors/s/f",
) -> str:
    return markdown(title=title, facts=[("Events", "1,234")], message=message, stack=stack, url=url)


def test_a_ticket_has_title_facts_message_and_stack():
    assert ticket() == (
        "## [TypeError](https://b.test/errors/s/f)\n\n"
        "- **Events:** 1,234\n\n"
        "```text\nit broke\n```\n\n"
        "```text\nat f (a.js:1)\n```\n"
    )


def test_without_a_stack_there_is_one_block():
    assert ticket(stack=None).count("```") == 2


def test_brackets_in_the_address_do_not_end_the_link():
    assert ticket(url="https://b.test/errors/s/f(x))").startswith(
        "## [TypeError](https://b.test/errors/s/f%28x%29%29)\n"
    )


@given(st.text(alphabet="`~ \n\rab#", max_size=60))
def test_no_text_can_end_its_block(text: str):
    lines = fenced(text).split("\n")
    fence = re.match(r"`+", lines[0])
    assert fence
    runs = re.findall("`+", "\n".join(lines[1:-1]))

    assert lines[-1] == fence[0]
    assert all(len(run) < len(fence[0]) for run in runs)


@pytest.mark.parametrize(
    "text",
    ["a\n# b", "<b>", "[x](http://evil)", "**b**", "@team", "a\r\n\r\n- b", "![i](u)", "| a | b |", "a_b_c", "&lt;"],
)
def test_a_line_is_one_line_without_markup(text: str):
    line = one_line(text)

    assert "\n" not in line
    assert not re.search(r"(?<!\\)[<>\[\]()*_`#@|&!]", line)


@pytest.mark.parametrize(
    "fingerprint",
    ["fp", "GET /users/:id", "a'b\"c$(touch x)`id`;&|", "50% off?", "x#y&z=1", "naïve 🚀", "line\nbreak", ".."],
)
def test_curl_asks_for_exactly_this_issue_and_the_shell_runs_nothing_else(fingerprint: str):
    words = shlex.split(curl(origin="https://b.test", fingerprint=fingerprint, project_id="p-1"))

    assert words[:4] == ["curl", "--path-as-is", "-H", "Authorization: Bearer $BLOOP_TOKEN"]
    url = urlsplit(words[4])
    assert len(words) == 5
    assert unquote(url.path) == f"/v1/errors/{fingerprint}"
    assert parse_qs(url.query) == {"project_id": ["p-1"]}
