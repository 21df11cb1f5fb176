"""Decides which events are the same error: versioned normalisation and hash of what identifies one.

`v1` reproduces the original server byte for byte (API contract, section 2), so links, alert rules and
scripts that hold a fingerprint keep working: it must never change, quirks included. `v2` is the better
grouping a project can choose (section 2.5). Both are recorded in `tests/golden/fingerprints.json`; a
different idea is a new version.

This runs for every event, so the work is bounded. The stack is read only as far as the first line of the
application; substring checks stand before the costlier patterns; many patterns begin with one plain
character class (a digit, then more digits), because the engine then finds candidates at twice the speed. No
pattern is worse than linear in its text: each repeat is bounded, possessive, ends at a character it cannot
contain, or starts only where the character before cannot belong to it.

Digits are Unicode decimal digits wherever the contract says digits; hex digits are ASCII. Lone surrogates,
which JSON can carry, are hashed as their three bytes ("surrogatepass") and never raise.
"""

import re
from collections.abc import Iterator
from typing import Final

from xxhash import xxh3_64_hexdigest

GROUPINGS: Final = ("v1", "v2")

# The Unicode White_Space property, as 2.1 wants. `str.strip()` would also take U+001C to U+001F.
_WHITE_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)

# v1, API contract 2.1 and 2.2.
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DOTTED_QUAD: Final = re.compile(r"\d\d{0,2}\.\d{1,3}\.\d{1,3}\.\d{1,3}")
_DIGITS: Final = re.compile(r"\d\d*+")
_POSITION: Final = re.compile(r":\d+(?::\d+)?| line \d+")
# From the first character that is not white space to the end of that line: blank lines cost nothing.
_LINE: Final = re.compile(rf"[^{_WHITE_SPACE}][^\n]*")
_FRAMEWORK_MARKERS: Final = (
    "node_modules/",
    "UIKitCore",
    "libdispatch",
    "Foundation",  # and so CoreFoundation, which the contract lists too
    "SwiftUI",
    "java.lang.",
    "android.os.",
    "kotlin.",
    "com.apple.",
)

# v2: values in messages and routes.
_EMAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]++@(?:[A-Za-z0-9-]++\.)+[A-Za-z]{2,}+")
_HEX_ADDRESS: Final = re.compile(r"(?<![0-9A-Za-z])0[xX][0-9a-fA-F]++")
_LONG_HEX: Final = re.compile(r"[0-9a-fA-F](?<![0-9A-Za-z_].)[0-9a-fA-F]{15,}+(?![0-9A-Za-z_])")
_DECIMAL: Final = re.compile(r"\d\d*+(?:[.,]\d++)*+")
_ROUTE_NUMBER: Final = re.compile(r"/\d++(?![^/.])")

# v2: recognising frames. Each is tried at the start of a trimmed line.
_FRAME: Final = re.compile(
    r"""
      at\ (?: \S++$ | .*[)\]>]$ | .*[:\ ]\d+$ )         # V8, Hermes, JVM, .NET
    | [^@]*+@.*(?: :\d+ | \[native\ code\] )$           # Firefox, Safari
    | [#]\d++\                                          # PHP, Dart
    | (?:from\ )?+(?:[A-Z]:)?+[^:]*+:\d++:in\          # Ruby
    | \d++\s++\S.*?\s0x[0-9a-fA-F]++\s                  # Swift, Objective-C
    """,
    re.VERBOSE,
)
_PYTHON_FRAME: Final = re.compile(r'^[ \t|+]*+File "([^"\n]++)", line \d++(?:, in ([^\n]++))?+', re.MULTILINE)
_GO_FRAME: Final = re.compile(r"^(\S[^\n]*+)\n[ \t]*+(\S[^\n]*\.go:\d+)", re.MULTILINE)
_RUST_FRAME: Final = re.compile(
    r"^[ \t]*+\d++:[ ]++(?:0x[0-9a-f]++ - )?+(\S[^\n]*+)(?:\n[ \t]++at ([^\n]++))?+", re.MULTILINE
)
_PHP_CALL: Final = re.compile(r"#\d++ (.*)\(\d++\): ([^(]*+)")
_APPLE_IMAGE: Final = re.compile(r"\d++\s++(\S.*?)\s0x[0-9a-fA-F]++\s")

# v2: telling the application's frames from those of platforms, runtimes and installed packages.
_FOREIGN_PLACES: Final = (
    *("node_modules/", "node:", "(internal/", "<anonymous>)", "[native code]", "(native)", "(index "),
    *("webpack/runtime", "webpack/bootstrap", "site-packages", "dist-packages", "<frozen "),
    *("/lib/python2", "/lib/python3", "/lib64/python", "\\Lib\\"),
    *("/gems/", "/lib/ruby/", "<internal:", "/vendor/", "[internal function]", "/usr/local/go/src/"),
    *("/libexec/src/", "/pkg/mod/", "/rustc/", ".cargo/registry/", "package:flutter/", "(dart:"),
)
_FOREIGN_CALLS: Final = (
    *("java.", "javax.", "jdk.", "sun.", "com.sun.", "jakarta.", "kotlin.", "kotlinx.", "scala."),
    *("android.", "androidx.", "com.android.", "dalvik.", "org.springframework.", "System.", "Microsoft."),
)
_FOREIGN_IMAGES: Final = (
    *("UIKit", "CoreFoundation", "Foundation", "SwiftUI", "QuartzCore", "GraphicsServices"),
    *("CFNetwork", "CoreData", "AttributeGraph", "libdispatch", "libsystem", "libobjc", "libswift"),
    *("libc++", "dyld", "???"),
)
_FOREIGN_GO_CALLS: Final = (
    *("runtime.", "runtime/", "panic(", "net/http.", "reflect.", "sync.", "testing.", "created by "),
)
_FOREIGN_RUST_CALLS: Final = (
    *("std::", "core::", "alloc::", "rust_begin_unwind", "rust_panic", "__rust", "_start", "__libc"),
    *("backtrace::", "anyhow::", "tokio::", "futures_", "hyper::", "axum::", "tower::", "actix_", "rocket::"),
)

# v2: normalising the chosen frame.
_FRAME_PREFIX: Final = re.compile(r"(?:at |from |#?\d++\s++)?+(?:async[ *])?+")
_ORIGIN: Final = re.compile(r"https?://[^/\s()]++/")
_QUERY: Final = re.compile(r"\?(?<=\w\?)[\w=&.%+~-]*+")
_HASHED_NAME: Final = re.compile(
    r"([.-])([0-9A-Za-z_]{6,64}+)(?=(?:\.[a-z]{2,8})?\.(?:[cm]?[jt]sx?|css|html|wasm|bundle)\b)"
)
_CAMEL_CASE: Final = re.compile(r"[A-Z]?[a-z]+(?:[A-Z][a-z]+)*+")
_RUBY_TAIL: Final = re.compile(r"(:in [`'][^`']*+').*")
_RUST_HASH: Final = re.compile(r"::h[0-9a-f]{16}\b")
_OFFSET: Final = re.compile(r" \+ ?(?:0x[0-9a-f]++|\d++)|:line \d++")
_FREE_NUMBER: Final = re.compile(r"\d(?:(?<!\w.)\d*+|(?<!\d.)\d{3,}+)")


def fingerprint(*, grouping: str, source: str, error_type: str, route: str, message: str, stack: str) -> str:
    """Return the 16 lower-case hex digits that name the group of an event (API contract 2.3 and 2.5).

    grouping: one of GROUPINGS, the project's setting. Absent route or stack: the empty string. Texts come as
    the client sent them, before truncation (L7). Raises ValueError for an unknown grouping.

    The text hashed for v2 starts with "v2" and a NUL, v1's with the source and a colon; a source has no NUL
    (L2), so no event of one version hashes the same text as one of the other. XXH3 64-bit, seed 0, of UTF-8.
    """
    if grouping == "v1":
        text = f"{source}:{error_type}:{route}:{normalise_message(message)}:{top_frame(stack)}"
    elif grouping == "v2":
        parts = (normalise_route_v2(route), normalise_message_v2(message), top_frame_v2(stack))
        text = "\0".join(("v2", source, error_type, *parts))
    else:
        problem = f"unknown grouping: {grouping!r}"
        raise ValueError(problem)
    return xxh3_64_hexdigest(text.encode("utf-8", "surrogatepass"))


def normalise_message(message: str) -> str:
    """Return the message with UUIDs, dotted quads and numbers replaced, lower-cased, trimmed (v1, 2.1).

    The order of the steps is part of the contract: `1.2.3.45678901-…` loses its UUID before its dotted quad.
    """
    text = _replace_quads(_replace_uuids(message))
    return _DIGITS.sub("<n>", text).lower().strip(_WHITE_SPACE)


def top_frame(stack: str) -> str:
    """Return the first line of the stack that is not a framework's, without its line numbers (v1, 2.2).

    Framework lines only: the first line that is not blank, numbers left in. No line: the empty string.
    """
    first = ""
    for line in _lines(stack):
        if not _holds_any(line, _FRAMEWORK_MARKERS):
            return _POSITION.sub("", line).strip(_WHITE_SPACE)
        first = first or line
    return first


def normalise_message_v2(message: str) -> str:
    """Return the message as v1 does, with more kinds of values recognised (v2, 2.5).

    Also replaced: e-mail addresses `<email>`, addresses `0x…` and bounded runs of 16 or more hex digits that
    are not all decimal `<hex>`; a number with fractions or separators (`1.5`, `1,000`) is one `<n>`. Quoted
    text stays: in `Cannot read property 'id' of undefined` it names the bug, and merging too much hides
    errors where splitting only repeats them.
    """
    text = _replace_uuids(message)
    if "@" in text:
        text = _EMAIL.sub("<email>", text)
    text = _replace_hex(_replace_quads(text))
    return _DECIMAL.sub("<n>", text).lower().strip(_WHITE_SPACE)


def normalise_route_v2(route: str) -> str:
    """Return the route without query string and with the ids in its path replaced (v2, 2.5).

    A path segment of digits is `<n>` (`/users/123.json` too), a UUID anywhere `<uuid>`, a hex id of 16 digits
    or more `<hex>`. Digits inside a word stay: `/api/v1/users` and `/api/v2/users` are two routes.
    """
    path = _replace_uuids(route.partition("?")[0])
    return _replace_hex(_ROUTE_NUMBER.sub("/<n>", path)).strip(_WHITE_SPACE)


def top_frame_v2(stack: str) -> str:
    """Return the application's frame nearest to the error, free of what changes between builds (v2, 2.5).

    Python tracebacks are read from the bottom, all others from the top; header lines (`TypeError: message`,
    of any number of lines) are no frames. No own frame: the nearest foreign one. No frame recognised at all:
    the line that v1 takes, normalised like a message.
    """
    frame = _nearest_frame(stack)
    if frame:
        return normalise_frame_v2(frame)
    return normalise_message_v2(top_frame(stack))


def normalise_frame_v2(frame: str) -> str:
    """Return one frame without position, index, origin, query string, content hash and addresses (v2, 2.5).

    Numbers become `<n>`, except up to three digits that directly follow a letter or underscore: those name
    code (`step2`, `api/v1.py`), the others instances (`Foo$1`, `releases/20260101`).
    """
    php = _PHP_CALL.match(frame)
    text = f"{php[1]}: {php[2]}" if php else frame[_frame_prefix_length(frame) :]
    text = _RUBY_TAIL.sub(r"\1", _without_jar(text))
    text = _QUERY.sub("", _ORIGIN.sub("/", _RUST_HASH.sub("", _replace_uuids(text))))
    text = _HASHED_NAME.sub(_replace_content_hash, text)
    text = _POSITION.sub("", _OFFSET.sub("", text))
    return _FREE_NUMBER.sub("<n>", _replace_hex(text)).strip(_WHITE_SPACE)


def _replace_uuids(text: str) -> str:
    return _UUID.sub("<uuid>", text) if text.count("-") >= 4 else text


def _replace_quads(text: str) -> str:
    return _DOTTED_QUAD.sub("<ip>", text) if text.count(".") >= 3 else text


def _replace_hex(text: str) -> str:
    if "0x" in text or "0X" in text:
        text = _HEX_ADDRESS.sub("<hex>", text)
    return _LONG_HEX.sub(_hex_or_number, text)


def _hex_or_number(match: re.Match[str]) -> str:
    # A run of decimal digits only is left for the number rules, so long numbers read like short ones.
    return match[0] if match[0].isdecimal() else "<hex>"


def _lines(stack: str) -> Iterator[str]:
    r"""Yield the trimmed lines that are not blank. Only `\n` ends a line; trimming takes a last `\r` too."""
    for match in _LINE.finditer(stack):
        yield match[0].rstrip(_WHITE_SPACE)


def _holds_any(line: str, markers: tuple[str, ...]) -> bool:
    # A plain loop: `any()` over a generator and one pattern of alternatives both take longer.
    for marker in markers:  # noqa: SIM110
        if marker in line:
            return True
    return False


def _nearest_frame(stack: str) -> str:
    """Return the own frame nearest to the error, else the nearest of any kind, else the empty string."""
    nearest = ""
    for frame, is_own in _frames(stack):
        if is_own:
            return frame
        nearest = nearest or frame
    return nearest


def _frames(stack: str) -> Iterator[tuple[str, bool]]:
    """Yield (frame, whether it is the application's), nearest to the error first, in its dialect."""
    if 'File "' in stack and (python := list(_python_frames(stack))):
        yield from reversed(python)
    elif ".go:" in stack and _GO_FRAME.search(stack):
        yield from _go_frames(stack)
    elif "::" in stack and _RUST_FRAME.search(stack):
        yield from _rust_frames(stack)
    else:
        for line in _lines(stack):
            if _FRAME.match(line):
                yield line, not _is_foreign_line(line)


def _python_frames(stack: str) -> Iterator[tuple[str, bool]]:
    """Yield the frames of tracebacks, in the order of the text: outermost call first."""
    for match in _PYTHON_FRAME.finditer(stack):
        yield f"{match[1]} in {match[2] or '<module>'}", not _holds_any(match[1], _FOREIGN_PLACES)


def _go_frames(stack: str) -> Iterator[tuple[str, bool]]:
    """Yield the functions of a goroutine dump, without arguments. Those above the last `panic(` report it."""
    start = max(stack.rfind("\npanic("), 0)
    for match in _GO_FRAME.finditer(stack, start):
        call, place = match.groups()
        is_foreign = call.startswith(_FOREIGN_GO_CALLS) or _holds_any(place, _FOREIGN_PLACES)
        yield call.rpartition("(")[0] or call, not is_foreign


def _rust_frames(stack: str) -> Iterator[tuple[str, bool]]:
    """Yield the functions of a Rust backtrace; the `at` line below one, if any, says where its code lives."""
    for match in _RUST_FRAME.finditer(stack):
        call, place = match.groups("")
        is_foreign = call.lstrip("<").startswith(_FOREIGN_RUST_CALLS) or _holds_any(place, _FOREIGN_PLACES)
        yield call, not is_foreign


def _is_foreign_line(line: str) -> bool:
    if _holds_any(line, _FOREIGN_PLACES):
        return True
    if line.startswith("at ") and "(" in line:
        # JVM frames may name their module first: `at java.base/java.lang.Thread.run(Thread.java:840)`.
        call = line[3:].partition("(")[0].rpartition("/")[2]
        return call.startswith(_FOREIGN_CALLS)
    image = _APPLE_IMAGE.match(line)
    return image is not None and image[1].startswith(_FOREIGN_IMAGES)


def _frame_prefix_length(frame: str) -> int:
    """Return the length of what dialects put before a frame: `at `, `from `, `async `, an index."""
    prefix = _FRAME_PREFIX.match(frame)
    return prefix.end() if prefix else 0


def _without_jar(frame: str) -> str:
    """Return a JVM frame without the archive that logback adds: `f(A.java:1) ~[app-1.2.jar:1.2]`."""
    head = frame.rpartition(" ")[0]
    return head if frame.endswith("]") and head.endswith(")") else frame


def _replace_content_hash(match: re.Match[str]) -> str:
    return f"{match[1]}<hash>" if _is_content_hash(match[2]) else match[0]


def _is_content_hash(word: str) -> bool:
    """Tell a bundler's content hash (`3f2a1b9c`, `B7kQz_1a`, `XKJHLQPD`) from a word (`UserMenu`).

    A hash is hex with a digit, of any length (webpack, Next.js); or eight characters that hold a digit (Vite,
    esbuild), are all capitals, or mix cases unlike camel case. A few Vite hashes look like words and stay.
    """
    has_digit = not word.isalpha() and any(character.isdigit() for character in word)
    if has_digit and not word.strip("0123456789abcdef"):
        return True
    if len(word) != 8:
        return False
    return has_digit or word.isupper() or not (word.islower() or _CAMEL_CASE.fullmatch(word))
