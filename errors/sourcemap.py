"""Reads source maps, regular and index, and looks positions up in them. Pure; `symbolic` does the decoding.

Whoever uploads a map chooses every byte of it, so its shape and its size are checked here before `symbolic` sees it.
"""

import gzip
import threading
import zlib
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from symbolic.exceptions import SymbolicError
from symbolic.sourcemap import SourceMapView

from errors.originals import Context, Original

MAX_BYTES = 32 * 1024 * 1024  # unpacked (contract 5.6)
MAX_SOURCES = 100_000
MAX_NAMES = 1_000_000
MAX_MAPPINGS = 4_000_000
MAX_SECTIONS = 10_000
MAX_NESTING = 3  # index maps within index maps
MAX_POSITION = 2**31  # beyond it a decoded line or column has run below zero
CONTEXT_LINES = 5
MAX_LINE = 400  # characters of a line of context
GZIP_MAGIC = b"\x1f\x8b"
GZIP_WBITS = 16 + zlib.MAX_WBITS

# What a parsed map takes: `symbolic` keeps 28 bytes a mapping in a list that doubles, and each text with its counts.
MAPPING_BYTES = 28
TEXT_BYTES = 64
LINE_BYTES = 16  # where each line of an embedded source begins, once one of them was shown

reading = threading.Lock()  # reading takes several times what is kept, so a process reads one map at a time


class SourceMapInvalid(ValueError):
    """The upload is no source map that can be used; the text says why."""


# --- Packing ----------------------------------------------------------------------------------------------------------


def packed(data: bytes) -> bytes:
    """The bytes as they are stored: gzip, the same for the same bytes."""
    return gzip.compress(data, compresslevel=6, mtime=0)


def is_packed(data: bytes) -> bool:
    """Whether these bytes are gzip rather than JSON."""
    return data.startswith(GZIP_MAGIC)


def unpacked(data: bytes) -> bytes:
    """The bytes within one gzip member; those of no gzip as they are. Never holds more than MAX_BYTES + 1 of them.

    Raises SourceMapInvalid. What gzip says of its own length is not looked at.
    """
    if is_packed(data):
        unpacker = zlib.decompressobj(GZIP_WBITS)
        try:
            data = unpacker.decompress(data, MAX_BYTES + 1)
        except zlib.error:
            raise SourceMapInvalid("broken gzip") from None
        if not unpacker.eof and len(data) <= MAX_BYTES:
            raise SourceMapInvalid("truncated gzip")
    if len(data) > MAX_BYTES:
        raise SourceMapInvalid(f"larger than {MAX_BYTES} bytes unpacked")
    return data


# --- Shape ------------------------------------------------------------------------------------------------------------


class Offset(msgspec.Struct):
    line: int
    column: int


class Section(msgspec.Struct):
    offset: Offset
    map: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Head(msgspec.Struct):
    """What tells an index map from a regular one."""

    version: int | None = None
    sections: list[Section] | msgspec.UnsetType = msgspec.UNSET


class Regular(msgspec.Struct):
    """The fields of a regular map that are used; others may hold anything."""

    sources: list[str | None]
    mappings: str
    names: list[str] | None = None
    sources_content: list[str | None] | None = msgspec.field(name="sourcesContent", default=None)


Shape = TypeVar("Shape", Head, Regular)


@dataclass
class Size:
    """How much of everything a map has, over all its sections."""

    sources: int = 0
    names: int = 0
    mappings: int = 0
    lines: int = 0
    sections: int = 0

    def add(self, regular: Regular) -> None:
        """Count a regular map in. Raises SourceMapInvalid when there is too much."""
        self.sources += len(regular.sources)
        self.names += len(regular.names or ())
        self.mappings += regular.mappings.count(",") + regular.mappings.count(";") + 1
        self.lines += sum(text.count("\n") + 1 for text in regular.sources_content or () if text)
        for name, most in (("sources", MAX_SOURCES), ("names", MAX_NAMES), ("mappings", MAX_MAPPINGS)):
            if getattr(self, name) > most:
                raise SourceMapInvalid(f"more than {most} {name}")


def sized(data: bytes | msgspec.Raw, size: Size, *, depth: int = 0) -> Size:
    """`size` with everything in the map of this JSON added. Raises SourceMapInvalid."""
    head = decoded(data, Head)
    if head.version != 3:
        raise SourceMapInvalid("version is not 3")
    if head.sections is msgspec.UNSET:
        size.add(decoded(data, Regular))
        return size
    if depth == MAX_NESTING:
        raise SourceMapInvalid(f"index maps nested more than {MAX_NESTING} deep")
    size.sections += len(head.sections)
    if size.sections > MAX_SECTIONS:
        raise SourceMapInvalid(f"more than {MAX_SECTIONS} sections")
    for section in head.sections:
        if section.map is msgspec.UNSET:
            raise SourceMapInvalid("a section has no map in it")
        sized(section.map, size, depth=depth + 1)
    return size


def decoded(data: bytes | msgspec.Raw, shape: type[Shape]) -> Shape:
    """The JSON as `shape`. Raises SourceMapInvalid with what is wrong, in which place."""
    try:
        return msgspec.json.decode(data, type=shape)
    except (msgspec.MsgspecError, ValueError) as error:
        reason = str(error)[:200]
        raise SourceMapInvalid(reason if reason.startswith("JSON") else reason[:1].lower() + reason[1:]) from None
    except RecursionError:
        raise SourceMapInvalid("nested too deep") from None


def bare(data: bytes) -> bytes:
    """The JSON without a byte order mark and without the line `)]}'` that some servers put before it."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    return data.partition(b"\n")[2] if data.startswith(b")]}") else data


# --- Reading and looking up -------------------------------------------------------------------------------------------


class ParsedMap:
    """A map that positions can be looked up in, by many threads at once. bytes: about what it takes in memory."""

    def __init__(self, view: SourceMapView, size: Size, *, length: int) -> None:
        self.view = view
        mappings = 1 << max(0, len(view) - 1).bit_length()
        texts = TEXT_BYTES * (size.sources + size.names) + LINE_BYTES * size.lines + length
        self.bytes = MAPPING_BYTES * mappings + texts

    def original(self, *, line: int, column: int) -> Original | None:
        """Where the mapping closest at or before a one-based position comes from; None when there is none.

        As contract 5.6 has it, the line of the answer is one-based and its column is zero-based.
        """
        if not 0 < line <= MAX_POSITION or not 0 <= column <= MAX_POSITION:
            return None
        found = self.view.lookup(line - 1, max(0, column - 1))
        if found is None or not found.src or max(found.src_line, found.src_col) >= MAX_POSITION:
            return None
        context = self.context(found.src_id, line=found.src_line, column=found.src_col)
        return Original(found.src, found.src_line + 1, found.src_col, found.name, context)

    def context(self, source: int | None, *, line: int, column: int) -> Context | None:
        """The lines around a zero-based position, where the map embeds its source."""
        text = None if source is None else self.view.get_sourceview(source)
        if text is None or line >= len(text):
            return None
        before = tuple(cut(each) for each in text[max(0, line - CONTEXT_LINES) : line])
        after = tuple(cut(each) for each in text[line + 1 : line + 1 + CONTEXT_LINES])
        return Context(before, cut(text[line], around=column), after)


def read_map(data: bytes) -> ParsedMap:
    """Read an unpacked map, regular or index, within the bounds above. Raises SourceMapInvalid."""
    if len(data) > MAX_BYTES:
        raise SourceMapInvalid(f"larger than {MAX_BYTES} bytes unpacked")
    data = bare(data)
    with reading:
        size = sized(data, Size())
        try:
            return ParsedMap(SourceMapView.from_json_bytes(data), size, length=len(data))
        except SymbolicError as error:
            raise SourceMapInvalid(str(error)[:200]) from None


def cut(line: str, *, around: int = 0) -> str:
    """A line of at most MAX_LINE characters and two ellipses, with the column `around` in it."""
    if len(line) <= MAX_LINE:
        return line
    start = min(max(0, around - MAX_LINE // 2), len(line) - MAX_LINE)
    return ("…" if start else "") + line[start : start + MAX_LINE] + ("…" if start + MAX_LINE < len(line) else "")
