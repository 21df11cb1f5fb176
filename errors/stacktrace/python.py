"""Python: tracebacks, chained exceptions, exception groups, faulthandler."""

import re
from collections.abc import Iterator
from typing import Final

from errors.stacktrace.model import Frame, Note, holds_any, number_of

_FOREIGN_PLACES: Final = (
    *("site-packages", "dist-packages", "/lib/python2", "/lib/python3", "/lib64/python", "\\Lib\\", "\\lib\\python"),
    *("python2.zip", "python3.zip", "/var/runtime/", "/usr/share/python"),
)
_FOREIGN_STARTS: Final = ("<frozen ", "<__array_function__", "<attrs generated", "<decorator-gen", "<makefun-gen")
# In the margin of an exception group stand `|` and `+`.
_FRAME: Final = re.compile(r'([ \t|+]*+)File "([^\n]*)", line (\d++)(?:,? in ([^\n]*+))?+\s*+\Z')
_MARGIN: Final = re.compile(r"[ \t|+]*+")
_OPENING: Final = re.compile(
    r"[ \t|+]*+(?:Traceback \(most recent call|Exception Group Traceback|During handling of|The above exception was"
    r"|(?:Current t|T)hread 0x)"
    r"|[ \t|]*+\+[+-]*- \d++ -{3,}"  # a member of a group
)
_REPEATED: Final = re.compile(r"[ \t|]*+\[Previous line repeated \d++ more times?\]\s*+\Z")


def read(lines: list[str]) -> Iterator[Frame | Note]:
    """A frame is its File line and the deeper lines under it: code, carets, locals."""
    at, was_own = 0, True
    while at < len(lines):
        line = lines[at]
        match = _FRAME.match(line) if 'File "' in line else None
        if match:
            end = _end_of(lines, at + 1, margin=match.end(1))
            was_own = is_own(match[2])
            yield Frame(
                "".join(lines[at:end]),
                match[4].strip() if match[4] else None,
                match[2],
                number_of(match[3]),
                in_app=was_own,
                source_line=lines[at + 1][match.end(1) :].strip() if end > at + 1 else None,
            )
            at = end
            continue
        yield Frame(line, in_app=was_own) if _REPEATED.match(line) else Note(line, opens=bool(_OPENING.match(line)))
        at += 1


def is_own(file: str) -> bool:
    """Whether a file is the application's, judged by its path."""
    return not file.startswith(_FOREIGN_STARTS) and not holds_any(file, _FOREIGN_PLACES)


def _end_of(lines: list[str], start: int, *, margin: int) -> int:
    """The first line from `start` that is not indented deeper than the frame's own (`margin` characters)."""
    end = start
    while end < len(lines):
        line = lines[end]
        depth = _MARGIN.match(line)
        if not depth or depth.end() <= margin or line.isspace() or line.startswith('File "', depth.end()):
            break
        end += 1
    return end
