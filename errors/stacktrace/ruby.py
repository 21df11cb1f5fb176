"""Ruby: `app.rb:12:in 'Cart#total'`, with the quotes of before and since 3.4, and `full_message`."""

import re
from collections.abc import Iterator
from typing import Final

from errors.stacktrace.model import Frame, Note, holds_any, number_of

_FOREIGN_PLACES: Final = (
    *("/gems/", "/lib/ruby/", "/vendor/", "<internal:", "/rubygems/", "/bin/bundle", "/.rbenv/", "/.rvm/", "(irb)"),
)
_CALL: Final = re.compile(r":(\d++):in [`']([^'\n]{0,512}+)'")
_PREFIX: Final = re.compile(r"\s*+(?:\d++: )?+(?:from )?+")


def read(lines: list[str]) -> Iterator[Frame | Note]:
    """The line that raised may carry the message; it opens a section, and the message stays below its frame."""
    for line in lines:
        call = _CALL.search(line) if ":in " in line else None
        prefix = _PREFIX.match(line)
        if not call or not prefix or prefix.end() >= call.start():
            yield Note(line)
            continue
        file = line[prefix.end() : call.start()]
        message = line[call.end() :]
        has_message = not (not message or message.isspace())
        if has_message:
            yield Note("", opens=True)
        raw = line[: call.end()] if has_message else line
        yield Frame(raw, call[2] or None, file, number_of(call[1]), in_app=not holds_any(file, _FOREIGN_PLACES))
        if has_message:
            yield Note(message)
