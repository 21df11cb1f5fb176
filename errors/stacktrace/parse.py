"""Finds the dialect of a stack: the one that recognises the most calls."""

from collections.abc import Callable, Iterator
from typing import Final

from errors.stacktrace import apple, golang, javascript, jvm, python, ruby, rust
from errors.stacktrace.model import Frame, Note, Section, Stack, lines_of, sections_of

Reader = Callable[[list[str]], Iterator[Frame | Note]]

# (dialect, what a text must hold for the dialect to be worth a try, its reader); the first wins a tie:
# the place below a call of Rust would do for a call of V8.
DIALECTS: Final[tuple[tuple[str, tuple[str, ...], Reader], ...]] = (
    ("python", ('File "',), python.read),
    ("jvm", ("at ",), jvm.read),
    ("rust", ("at ", "backtrace:"), rust.read),
    ("javascript", ("at ", "@", "://"), javascript.read),
    ("go", (".go:", ".s:"), golang.read),
    ("ruby", (":in ",), ruby.read),
    ("apple", ("0x",), apple.read),
)


def parse_stack(text: str) -> Stack:
    """Read a stack in whatever dialect it is written. Never raises; time is linear in the text.

    text: as the client sent it. Without a single call in any dialect the text is one header and the dialect "";
    an empty text has no sections.
    """
    lines = lines_of(text)
    best, most = Stack("", sections_of(Note(line) for line in lines)), 0
    for dialect, markers, read in DIALECTS:
        if not any(marker in text for marker in markers):
            continue
        sections = sections_of(read(lines))
        if (calls := _calls_of(sections)) > most:
            best, most = Stack(dialect, sections), calls
    return best


def _calls_of(sections: tuple[Section, ...]) -> int:
    return sum(frame.is_call for section in sections for frame in section.frames)
