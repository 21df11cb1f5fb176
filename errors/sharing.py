"""An issue as text to paste elsewhere: Markdown for a ticket, a command for a shell. Pure."""

import re
import shlex
from collections.abc import Sequence
from urllib.parse import quote, urlencode

BRACKETS = str.maketrans({"(": "%28", ")": "%29"})  # an address may hold them, and the end of a link is one
MARKS = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~@&])")


def markdown(*, title: str, facts: Sequence[tuple[str, str]], message: str, stack: str | None, url: str) -> str:
    """The issue as GitHub, GitLab and their like read it. Whatever client text holds, it stays text."""
    parts = [f"## [{one_line(title)}]({url.translate(BRACKETS)})"]
    parts.append("\n".join(f"- **{name}:** {one_line(value)}" for name, value in facts))
    parts.append(fenced(message))
    if stack:
        parts.append(fenced(stack))
    return "\n\n".join(parts) + "\n"


def one_line(text: str) -> str:
    """Text on one line, in which nothing is markup, a mention or a link."""
    return MARKS.sub(r"\\\1", " ".join(text.split()))


def fenced(text: str) -> str:
    """A code block whose fence is longer than any run of backticks inside: no line of the text can end it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text.rstrip()}\n{fence}"


def curl(*, origin: str, fingerprint: str, project_id: str) -> str:
    """The command that asks the API for this issue, safe to paste; the token comes from the environment."""
    url = f"{origin}/v1/errors/{quote(fingerprint, safe='')}?{urlencode({'project_id': project_id})}"
    return f'curl --path-as-is -H "Authorization: Bearer $BLOOP_TOKEN" {shlex.quote(url)}'
