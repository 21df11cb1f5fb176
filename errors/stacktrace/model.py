"""What a stack is read into, and how the lines a dialect recognised become sections."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Frame:
    """One call of a stack; or, without function and file, text that stands among the calls.

    raw: the line or lines as sent, line ends included. file: a path, a URL, or the image where no source is known.
    line, column: one-based as the runtimes print them (Firefox before 132 counts columns from zero).
    in_app: the application's own code, not a library's or the platform's; for text: whether it is worth showing
    when library frames are folded away. source_line: the code, where the stack brings it along (Python).
    """

    raw: str
    function: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    in_app: bool = True
    source_line: str | None = None

    @property
    def is_call(self) -> bool:
        return self.function is not None or self.file is not None


@dataclass(frozen=True, slots=True)
class Section:
    """An exception of a chain, a goroutine, a thread: what stands above its frames, line ends included, and they."""

    header: str
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack as read. dialect: "javascript", "python", "jvm", "apple", "ruby", "go", "rust", or "" when unknown.

    Headers and raw frames, joined in their order, are the text.
    """

    dialect: str
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """A line that is no frame. opens: it begins another section, as `Caused by:` does."""

    raw: str
    opens: bool = False


@dataclass(slots=True)
class _Draft:
    """A section being filled. Text below the frames waits in `tail`, so that a run of it becomes one piece."""

    header: list[str] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    has_words: bool = False  # the header holds more than the lines that opened it

    def add(self, item: Frame | Note) -> None:
        if isinstance(item, Frame):
            self._settle()
            self.frames.append(item)
        elif self.frames:
            self.tail.append(item.raw)
        else:
            self.header.append(item.raw)
            self.has_words = self.has_words or (not item.opens and not item.raw.isspace())

    def finish(self) -> Section:
        self._settle()
        return Section("".join(self.header), tuple(self.frames))

    def _settle(self) -> None:
        if self.tail:
            self.frames.append(Frame("".join(self.tail)))
            self.tail.clear()


def sections_of(items: Iterable[Frame | Note]) -> tuple[Section, ...]:
    """Group what a dialect read: text above frames is their header, text below them a frame without a call.

    A line that opens a section joins the header before it when no frame came in between, so that
    "During handling of …" and the "Traceback …" below it are one header.
    """
    sections: list[Section] = []
    draft = _Draft()
    for item in items:
        if isinstance(item, Note) and item.opens and (draft.frames or (draft.has_words and sections)):
            sections.append(draft.finish())
            draft = _Draft()
        draft.add(item)
    if draft.header or draft.frames:
        sections.append(draft.finish())
    return tuple(sections)


def lines_of(text: str) -> list[str]:
    r"""The lines with their ends; only `\n` ends one, as JSON and the contract have it."""
    lines = [line + "\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def number_of(digits: str) -> int | None:
    """A line or column number; nothing for what is no number, or longer than any file."""
    return int(digits) if len(digits) <= 9 and digits.isascii() and digits.isdecimal() else None


def split_position(place: str) -> tuple[str, int | None, int | None]:
    """`file:12:34`, `file:12` or `file` as (file, line, column)."""
    head, _, last = place.rpartition(":")
    if not head or (number := number_of(last)) is None:
        return place, None, None
    file, _, middle = head.rpartition(":")
    if file and (line := number_of(middle)) is not None:
        return file, line, number
    return head, number, None


def holds_any(text: str, markers: tuple[str, ...]) -> bool:
    """Whether one of the markers stands in the text. A plain loop: `any()` over a generator takes twice as long."""
    for marker in markers:  # noqa: SIM110
        if marker in text:
            return True
    return False
