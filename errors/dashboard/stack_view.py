"""What the page shows of a stack: sections of frames, library frames folded, original sources where they are known."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby

from errors.models import Event
from errors.originals import Context, Original
from errors.queries.sourcemaps import originals_of
from errors.stacktrace import Frame, Section, parse_stack
from errors.stacktrace.javascript import is_own

LINE_WIDTH = 400  # a source line beyond it is cut: bundled "sources" can be one line of a megabyte


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of source with its number. is_hit: the frame stands here."""

    number: int
    text: str
    is_hit: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A frame, or text between frames (`words`), as one line of the list.

    place: `file:12:5`, or what of it is known. code: the lines of source the stack brought along. source: lines of
    the original, from a source map; is_open: shown without a click. raw: as sent.
    """

    raw: str
    is_own: bool
    words: str = ""
    function: str = ""
    file: str = ""
    position: str = ""
    code: str = ""
    source: tuple[SourceLine, ...] = ()
    is_mapped: bool = False
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """Rows that are shown or folded together; `library_count` frames when folded."""

    rows: tuple[Row, ...]
    is_folded: bool
    library_count: int


@dataclass(frozen=True, slots=True)
class SectionView:
    """An exception of a chain, a thread, a goroutine: its words, then its frames."""

    header: str
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class StackView:
    """A stack for `errors/_stack.html`. raw: the whole text; without sections it is all there is to show."""

    raw: str
    dialect: str
    sections: tuple[SectionView, ...]
    is_mapped: bool


def stack_of(event: Event) -> StackView:
    """The stack of an event, with what the source maps of its release say of it."""
    stack = event.stack or ""
    return view_stack(stack, originals=originals_of(project_id=event.project_id, release=event.release, stack=stack))


def view_stack(text: str, *, originals: Mapping[str, Original]) -> StackView:
    """Lay a stack out for the page.

    originals: by a frame's raw line, stripped. A mapped frame is judged own or library by its original file. Where
    no frame is the application's, none is folded away.
    """
    stack = parse_stack(text)
    if not stack.dialect:
        return StackView(text, "", (), is_mapped=False)
    drafts = [(section, [_row(frame, originals) for frame in section.frames]) for section in stack.sections]
    may_fold = any(row.is_own and not row.words for _, rows in drafts for row in rows)
    is_mapped = any(row.is_mapped for _, rows in drafts for row in rows)
    first = next((row for _, rows in drafts for row in rows if row.source and row.is_own), None)
    sections = tuple(
        SectionView(_trimmed(section.header), _runs(rows, may_fold=may_fold, opened=first))
        for section, rows in drafts
        if _has_words(section)
    )
    return StackView(text, stack.dialect, sections, is_mapped)


def _runs(rows: Iterable[Row], *, may_fold: bool, opened: Row | None) -> tuple[Run, ...]:
    """Neighbours that are own, or that are library, together. Rows without anything to see are left out."""
    seen = (
        replace(row, is_open=True) if row is opened else row for row in rows if row.words or row.function or row.file
    )
    return tuple(
        Run(run, is_folded=may_fold and not is_own, library_count=sum(not row.words for row in run))
        for is_own, group in groupby(seen, key=lambda row: row.is_own)
        for run in [tuple(group)]
    )


def _row(frame: Frame, originals: Mapping[str, Original]) -> Row:
    raw = frame.raw.strip()
    if not frame.is_call:
        return Row(raw, frame.in_app, words=_trimmed(frame.raw).removeprefix(": "))  # Ruby's message behind a call
    original = originals.get(raw)
    if original is None:
        position = _position(frame.line, frame.column)
        code = _code(frame) if frame.source_line is not None else ""
        return Row(raw, frame.in_app, "", frame.function or "", frame.file or "", position, code)
    return Row(
        raw,
        is_own(original.file),
        function=original.name or frame.function or "",
        file=original.file,
        position=_position(original.line, original.column + 1),  # people and editors count columns from one
        source=tuple(_source(original.context, original.line)) if original.context else (),
        is_mapped=True,
    )


def _position(line: int | None, column: int | None) -> str:
    return "".join(f":{number}" for number in (line, column) if number is not None)


def _code(frame: Frame) -> str:
    """The lines below a frame of Python, without the margin of exception groups and their common indent."""
    head, _, below = frame.raw.partition("\n")
    margin = head.find("File ")
    lines = [line[margin:].rstrip() for line in below.rstrip().split("\n")]
    return textwrap.dedent("\n".join(lines))


def _source(context: Context, line: int) -> Iterator[SourceLine]:
    numbered = enumerate((*context.before, context.line, *context.after), start=line - len(context.before))
    for number, text in numbered:
        cut = text.rstrip()
        yield SourceLine(number, cut if len(cut) <= LINE_WIDTH else f"{cut[:LINE_WIDTH]}…", is_hit=number == line)


def _trimmed(text: str) -> str:
    """Text without blank lines around it; the indent of its first line stays."""
    return text.rstrip().lstrip("\r\n")


def _has_words(section: Section) -> bool:
    return not section.header.isspace() or bool(section.frames)
