"""Where a line of a JavaScript stack points, and which of a release's source maps it is about (contract 5.6). Pure."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

IN_BRACKETS = re.compile(r":(\d+):(\d+)\)")
AT_END = re.compile(r"(.+):(\d+):(\d+)")
EVALUATED = re.compile(r"eval at .*\(")  # V8: "eval at f (app.js:1:2), <anonymous>:3:4"
HERMES = "address at "
SCRIPT = re.compile(r"\.(?:[cm]?jsx?|[cm]?tsx?|bundle|hbc)$|^https?://", re.IGNORECASE)
DIGITS = 10  # more are no position


@dataclass(frozen=True, slots=True)
class Position:
    """file: as the stack has it, without query and fragment; line, column: one-based."""

    file: str
    line: int
    column: int

    @property
    def is_script(self) -> bool:
        """Whether this is a place in JavaScript, as bundlers make it."""
        return SCRIPT.search(self.file) is not None


def position_of(line: str) -> Position | None:
    """The position in a line of a stack: `(file:1:2)`, else the first run without spaces that has `file:1:2`.

    Firefox's and Safari's `function@` before a file is left out, as are V8's and Hermes's words in the brackets.
    """
    opened = line.find("(")
    if opened >= 0:
        for place in IN_BRACKETS.finditer(line, opened + 2):
            return made(line[opened + 1 : place.start()], place.group(1), place.group(2))
    for run in line.split():
        if found := AT_END.match(run):
            return made(found.group(1).lstrip("("), found.group(2), found.group(3))
    return None


def made(file: str, line: str, column: str) -> Position | None:
    """The position of these parts; None when nothing of the file is left or a number is too long."""
    file = EVALUATED.sub("", file, count=1) if file.startswith("eval at ") else file.removeprefix(HERMES)
    function, at, address = file.partition("@")
    if at and "/" not in function:
        file = address
    file = re.split(r"[?#]", file, maxsplit=1)[0].strip()
    if not file or len(line) > DIGITS or len(column) > DIGITS:
        return None
    return Position(file, int(line), int(column))


def base_of(path: str) -> str:
    """What follows the last slash, of either kind."""
    return path.replace("\\", "/").rpartition("/")[2]


class Filenames:
    """The filenames of a release's maps, found by the files they are about."""

    def __init__(self, filenames: Iterable[str]) -> None:
        self.by_base: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for filename in filenames:
            for about in {filename, filename.removesuffix(".map")}:
                self.by_base[base_of(about)].append((about, filename))

    def best(self, file: str) -> str | None:
        """The longest filename whose map fits: the file is it, or ends with it after a slash; `.map` at its end aside.

        Of `app.js.map` and `app.js`, both about app.js, the first.
        """
        fitting = [each for each in self.by_base.get(base_of(file), ()) if fits(file, each[0])]
        return max(fitting, key=lambda each: (len(each[0]), len(each[1])))[1] if fitting else None


def fits(file: str, about: str) -> bool:
    """Whether the file ends with `about`, at the border of a segment of its path."""
    if not about or not file.endswith(about):
        return False
    return len(file) == len(about) or about[0] in "/\\" or file[-len(about) - 1] in "/\\"
