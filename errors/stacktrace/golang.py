"""Go: goroutine dumps of a panic, `debug.Stack`, and the traces of pkg/errors: a function, its place below."""

import re
from collections.abc import Iterator
from typing import Final

from errors.stacktrace.model import Frame, Note, number_of

_STANDARD: Final = (
    "archive|bufio|bytes|compress|container|context|crypto|database|debug|encoding|errors|expvar|flag|fmt|go|hash|html"
    "|image|index|internal|io|iter|log|maps|math|mime|net|os|path|plugin|reflect|regexp|runtime|slices|sort|strconv"
    "|strings|structs|sync|syscall|testing|text|time|unicode|unique|unsafe|vendor|weak"
)
# GOROOT wherever it is installed; a GOPATH's own `/go/src/example.com/…` does not continue with a standard package.
_GOROOT: Final = re.compile(rf"(?:/src|\\src|/std)[/\\](?:{_STANDARD})[/\\]")
_TRIMMED: Final = re.compile(rf"(?:{_STANDARD})/")  # built with -trimpath, GOROOT and module cache are cut off
_MODULE: Final = re.compile(r"/pkg/mod/|@v\d|/vendor/|\A_cgo_gotypes\.go|\A_testmain\.go|/go-build/")
_PLACE: Final = re.compile(r"(\S[^\n]*\.(?:go|s)):(\d++)(?: \+0x[0-9a-f]++)?+\s*+\Z")
_OPENING: Final = re.compile(r"goroutine \d|panic: |fatal error: |runtime stack:|\[originating from goroutine")


def read(lines: list[str]) -> Iterator[Frame | Note]:
    """Goroutines are sections. A frame is two lines: the call, then tab and place."""
    at, was_own = 0, True
    while at < len(lines):
        line = lines[at]
        place = _place_below(lines, at)
        if place:
            frame = _frame(line, lines[at + 1], place)
            was_own = frame.in_app
            yield frame
            at += 2
            continue
        if line.startswith("..."):  # ...additional frames elided...
            yield Frame(line, in_app=was_own)
        else:
            yield Note(line, opens=bool(_OPENING.match(line)))
        at += 1


def _place_below(lines: list[str], at: int) -> re.Match[str] | None:
    """The place on the line below a call, which is indented more than the call itself."""
    if at + 1 >= len(lines):
        return None
    call, below = lines[at], lines[at + 1]
    text = below.lstrip(" \t")
    if len(below) - len(text) <= len(call) - len(call.lstrip(" \t")) or call.isspace():
        return None
    return _PLACE.match(text)


def _frame(call: str, below: str, place: re.Match[str]) -> Frame:
    function = call.strip()
    if function.endswith(")"):
        function = function.rpartition("(")[0] or function
    return Frame(call + below, function, place[1], number_of(place[2]), in_app=is_own(place[1]))


def is_own(file: str) -> bool:
    """Whether a file is the application's: not of the standard library, the module cache, or a vendor folder."""
    is_absolute = file.startswith("/") or file[1:2] == ":"
    if is_absolute:
        return not (_GOROOT.search(file) or _MODULE.search(file))
    return not (_TRIMMED.match(file) or _MODULE.search(file))
