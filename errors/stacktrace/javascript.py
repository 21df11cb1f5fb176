"""JavaScript: V8 and Hermes (`at f (url:1:2)`), Firefox and Safari (`f@url:1:2`)."""

import re
from collections.abc import Iterator
from typing import Final

from errors.stacktrace.model import Frame, Note, holds_any, number_of, split_position

_FOREIGN_PLACES: Final = (
    *("node_modules/", "node_modules\\", "/.yarn/", "/.vite/deps/", "/bower_components/"),
    *("webpack/runtime", "webpack/bootstrap", "(webpack)/", "turbopack/runtime", "[turbopack]", "vite/client"),
    *("://unpkg.com/", "://cdn.jsdelivr.net/", "://cdnjs.cloudflare.com/", "://esm.sh/", "://ajax.googleapis.com/"),
    *("://www.googletagmanager.com/", "://www.google-analytics.com/", "://connect.facebook.net/"),
    *("native code]", "InternalBytecode.js", "/next/dist/"),
)
_FOREIGN_STARTS: Final = (
    *("node:", "internal/", "(internal/", "bun:", "ext:", "deno:", "native", "index ", "resource://", "chrome://"),
    *("chrome-extension://", "moz-extension://", "safari-extension://", "safari-web-extension://"),
)
_NO_FILES: Final = frozenset(
    {"<anonymous>", "anonymous", "unknown", "<unknown>", "unknown location", "debugger eval code"}
)
# Bundles that hold nothing but packages, by the names that bundlers and packages give them.
_FOREIGN_BUNDLE: Final = re.compile(
    r"(?:(?:vendors?|polyfills?|react|react-dom|jquery|angular|vue|zone|lodash|moment|core-js)[.~@_-]"
    r"|(?:framework|runtime|webpack)-[0-9a-f]{8})"
)
_INDEX: Final = re.compile(r"index \d++")
_FIREFOX_EVAL: Final = re.compile(r" line (\d++) > ")


def read(lines: list[str]) -> Iterator[Frame | Note]:
    """Every line that is no frame opens a section: an error's message, `[cause]: …`, `From previous event:`."""
    for line in lines:
        text = line.strip()
        frame = _v8_frame(line, text) if text.startswith("at ") else _gecko_frame(line, text)
        yield frame or Note(line, opens=bool(text))


def is_own(file: str | None) -> bool:
    """Whether a file, as a frame or a source map names it, is the application's."""
    if not file or file in _NO_FILES or file.startswith(_FOREIGN_STARTS) or holds_any(file, _FOREIGN_PLACES):
        return False
    name = file.partition("?")[0].rpartition("/")[2]
    return not (name.endswith((".js", ".mjs", ".cjs")) and _FOREIGN_BUNDLE.match(name))


def _v8_frame(raw: str, text: str) -> Frame | None:
    # console.log writes a brace behind the last frame of an error with properties, a comma in a list of errors.
    text = text[3:].rstrip(" {,")
    if not text.endswith(")"):
        file, line, column = split_position(text.removeprefix("async "))
        is_frame = line is not None and holds_any(file, ("/", "\\", ".", "<"))
        caller = "async <anonymous>" if text.startswith("async ") else None
        return Frame(raw, caller, file, line, column, is_own(file)) if is_frame else None
    function, _, place = text[:-1].partition(" (")
    if not function or not place:
        return None
    if place.startswith("eval at "):
        place = _innermost(place)
    file, line, column = split_position(place.removeprefix("address at "))
    is_frame = line is not None or file in _NO_FILES or file == "native" or file.startswith("wasm://")
    if is_frame or _INDEX.fullmatch(file):
        return Frame(raw, function, file, line, column, is_own(file))
    return None


def _innermost(place: str) -> str:
    """Where the code was that called eval: `eval at f (eval at g (a.js:1:2), <anonymous>:3:4), …` -> `a.js:1:2`."""
    inner = place.rpartition(" (")[2]
    if (end := inner.find("), ")) >= 0:
        return inner[:end]
    return inner.partition(")")[0] or place


def _gecko_frame(raw: str, text: str) -> Frame | None:
    if text == "[native code]":
        return Frame(raw, None, text, in_app=False)
    function, at, place = text.partition("@")
    if not at:  # old Safari names anonymous functions by their place alone
        file, line, column = split_position(text)
        is_frame = column is not None and "://" in file and " " not in file
        return Frame(raw, None, file, line, column, is_own(file)) if is_frame else None
    if "://" in function:
        return None
    if place == "[native code]":
        return Frame(raw, function or None, place, in_app=False)
    file, line, column = split_position(place)
    if line is None or (column is None and "/" not in file):
        return None
    if " > " in file and (call := _FIREFOX_EVAL.search(file)):
        file, line, column = file[: call.start()], number_of(call[1]), None
    return Frame(raw, function or None, file, line, column, is_own(file))
