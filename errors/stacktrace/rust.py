"""Rust: the backtraces of a panic, of anyhow and of eyre: `3: function`, and its place below."""

import re
from collections.abc import Iterator
from typing import Final

from errors.stacktrace.model import Frame, Note, holds_any, split_position

_FOREIGN_PLACES: Final = (
    *("/rustc/", "/.cargo/registry/", "/.cargo/git/", "\\.cargo\\registry\\", "/rustlib/src/", "/cargo/registry/"),
    *("/sysdeps/", "/csu/"),
)
_FOREIGN_CALL: Final = re.compile(
    r"[<_&]*+(?:dyn |impl )?+"
    r"(?:(?:std|core|alloc|proc_macro|test|backtrace|anyhow|eyre|color_eyre|tokio|tokio_util|futures|futures_\w++"
    r"|hyper|hyper_util|axum|axum_\w++|tower|tower_http|tower_service|actix|actix_\w++|rocket|warp|tonic|rayon"
    r"|rayon_core|tracing|tracing_\w++|serde|serde_\w++|mio|reqwest|sqlx|sqlx_\w++|diesel|async_std|smol|clap"
    r"|clap_\w++|sentry|sentry_\w++|hashbrown|addr2line|gimli|rustc)(?:\[[0-9a-f]++\])?+::"
    r"|(?:[ui](?:8|16|32|64|128|size)|f32|f64|bool|char|str|\[T\]) as "
    r"|rust_\w++(?!:)|libc_start|start_thread|pthread_|(?:main|start|clone|unknown>|BaseThreadInitThunk)\Z)"
)
_CALL: Final = re.compile(r"\s*+(\d++):\s++(?:0x[0-9a-f]++ - )?+(\S[^\n]*)")
_PLACE: Final = re.compile(r"\s++at (\S[^\n]*+)")
_HASH: Final = re.compile(r"::h[0-9a-f]{16}\Z")
_BACKTRACE: Final = re.compile(r"\s*+(?:stack )?backtrace:", re.IGNORECASE)


def read(lines: list[str]) -> Iterator[Frame | Note]:
    """A numbered line is a call below `stack backtrace:`, or when its place follows; else anyhow's list of causes."""
    at, is_inside = 0, False
    while at < len(lines):
        line = lines[at]
        place = _PLACE.match(lines[at + 1]) if at + 1 < len(lines) else None
        call = _CALL.match(line)
        if place and not line.isspace() and not _PLACE.match(line) and (call or (is_inside and line[:1].isspace())):
            yield _frame(line + lines[at + 1], (call[2] if call else line).strip(), place[1].strip())
            at += 2
            continue
        if call and is_inside:
            yield _frame(line, call[2].strip(), None)
        else:
            is_inside = (is_inside and not line.startswith("thread '")) or bool(_BACKTRACE.match(line))
            yield Note(line, opens=line.startswith("thread '"))
        at += 1


def _frame(raw: str, function: str, place: str | None) -> Frame:
    file, line, column = split_position(place) if place else (None, None, None)
    function = _HASH.sub("", function)
    in_app = not _FOREIGN_CALL.match(function) and not holds_any(file or "", _FOREIGN_PLACES)
    return Frame(raw, function, file, line, column, in_app)
