"""What a project does not want to keep of its texts: known kinds and expressions of its own, replaced. Pure.

All matching is RE2's, whose time grows with the text and never explodes. Finding all matches of one expression can
still be slow (each search may read to the end), so the project's own expressions have a budget of processor time for
each request, and read a long text in windows. What is not masked within it is not kept at all.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import re2

from bloop_site.lib.wire import is_deeper

MAX_EXPRESSIONS = 20
MAX_EXPRESSION = 200  # characters
MAX_DEPTH = 100  # levels of a JSON value that are walked
MAX_PROGRAM = 32 << 10  # bytes of RE2's memory: about 500 instructions, far more than anyone writes by hand
WINDOW, OVERLAP = 256 << 10, 16 << 10  # bytes: nothing longer than the overlap is sure to be found in a long text
SECONDS = 2.0
TOO_SLOW = "[not kept: masking took too long]"
OWN = b"[masked]"
GAP = "\x00"  # stands in no text we keep, and no kind matches across it

EMAIL = (
    r"""(?:[\pL\pN!#$%&'*+/=?^_`{|}~.-]+|"[^"\x00\r\n]{1,64}")@"""
    r"(?:[\pL\pN-]+(?:\.[\pL\pN-]+)+|\[(?:IPv6:)?[0-9A-Fa-f.:]{2,45}\])"
)
CARD = r"\b[2-6](?:[ -]?\d){12,18}\b"
PHONE = (
    r"\+\d(?:[ ().\-/]{0,2}\d){6,14}\b|\(\d{3}\) ?\d{3}[-. ]?\d{4}\b|\b\d{3}[-. ]\d{3}[-. ]\d{4}\b"
    r"|\b0\d{1,4}[ /-]\d{2,4}(?:[ -]?\d{2,4}){1,3}\b"
)
# One expression each where a match may need something far ahead: beside others, each of theirs would search to the end.
PRIVATE_KEY = r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^\x00]*?-----END [A-Z ]*PRIVATE KEY-----"
JWT = r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
KEY = (
    r"\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}|\b(?:gh[pousr]|github_pat|hf|bloop_tk)_[A-Za-z0-9_-]{16,}"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_-]{30,}|\b(?:xox[abeprs]|glpat)-[A-Za-z0-9-]{10,}"
    r"""|(?i:(?:key|token|secret|password|passwd|pwd|authorization)["']?\s*[:=]\s*["']?(?:bearer\s+)?|\bbearer\s+)"""
    r"([A-Za-z0-9+/_=.~-]{16,})"
)
KINDS = {
    "email": ("E-mail addresses", (EMAIL,)),
    "card": ("Payment cards", (CARD,)),
    "phone": ("Phone numbers", (PHONE,)),
    "key": ("Keys and tokens", (PRIVATE_KEY, JWT, KEY)),
}
ORDER = ("key", "email", "card", "phone")  # a key may hold what looks like one of the others
NAMED_LIKE_A_KEY = r"(?i)(?:key|token|secret|password|passwd|pwd|authorization)$"
LIKE_A_KEY = r"(?:(?i:bearer|basic)\s+)?[A-Za-z0-9+/_=.~-]{16,}"


class ExpressionInvalid(Exception):
    """The expression cannot be used; the text says which and why."""


def options(memory: int) -> re2.Options:
    """RE2's options: silent, and with so much memory for an expression."""
    chosen = re2.Options()
    chosen.log_errors = False
    chosen.max_mem = memory
    return chosen


@lru_cache(maxsize=512)
def compiled(expression: str) -> Any:
    """The expression, ready. Raises re2.error."""
    return re2.compile(expression, options(8 << 20))


def check_expressions(expressions: Sequence[str]) -> None:
    """Raise ExpressionInvalid for the first that cannot be used, or when there are too many."""
    if len(expressions) > MAX_EXPRESSIONS:
        raise ExpressionInvalid(f"at most {MAX_EXPRESSIONS} expressions")
    for expression in expressions:
        if not expression or len(expression) > MAX_EXPRESSION:
            raise ExpressionInvalid(f"an expression must be 1-{MAX_EXPRESSION} characters")
        try:
            re2.compile(expression.encode(), options(MAX_PROGRAM))
            usable = compiled(expression)
        except (re2.error, UnicodeEncodeError) as error:
            raise ExpressionInvalid(f"invalid expression {expression!r}: {reason_of(error)}") from None
        if usable.search(b"") is not None:
            raise ExpressionInvalid(f"invalid expression {expression!r}: it matches the empty text")


def reason_of(error: Exception) -> str:
    """What RE2 says is wrong."""
    said = error.args[0] if error.args else ""
    return said.decode(errors="replace") if isinstance(said, bytes) else "not text"


class Masking:
    """What one request's texts are masked with: names of KINDS, and expressions that `check_expressions` took."""

    def __init__(self, kinds: Sequence[str] = (), expressions: Sequence[str] = ()) -> None:
        self.kinds = tuple(kind for kind in ORDER if kind in kinds)
        self.expressions = tuple(expressions)
        self.seconds_left = SECONDS

    def __bool__(self) -> bool:
        return bool(self.kinds or self.expressions)

    def text(self, text: str) -> str:
        """A text, masked. One that is JSON is masked inside its strings, so that it stays JSON.

        One nested deeper than anyone writes is masked as the text it is.
        """
        if text.lstrip()[:1] in ("{", "["):
            try:
                value = msgspec.json.decode(text)
            except (msgspec.DecodeError, RecursionError):
                return self.texts([text])[0]
            if not is_deeper(value, MAX_DEPTH):
                masked = self.value(value)
                return text if masked == value else msgspec.json.encode(masked).decode()
        return self.texts([text])[0]

    def value(self, value: Any) -> Any:
        """A decoded JSON value with all its strings masked, names of fields too."""
        found: list[str] = []
        collect(value, found)
        told = iter(self.texts(found))
        return rebuilt(value, told, hides_keys="key" in self.kinds)

    def texts(self, texts: list[str]) -> list[str]:
        """Several texts, each masked by itself; the known kinds look at all of them at once."""
        if self.kinds and texts:
            whole = GAP.join(text.replace(GAP, "\ufffd") for text in texts).encode(errors="replace")
            for kind in self.kinds:
                whole = replaced(whole, kind)
            texts = whole.decode(errors="replace").split(GAP)
        return [self.own(text) for text in texts] if self.expressions else texts

    def own(self, text: str) -> str:
        """The project's own expressions, within what is left of the budget."""
        data, began = text.encode(errors="replace"), time.thread_time()
        ends = began + self.seconds_left
        for expression in self.expressions:
            spans = spans_within(compiled(expression), data, ends)
            if spans is None:
                self.seconds_left = 0
                return TOO_SLOW
            data = with_spans(data, spans, OWN)
        self.seconds_left -= time.thread_time() - began
        return data.decode(errors="replace")


def replaced(data: bytes, kind: str) -> bytes:
    """UTF-8 with everything of this kind replaced by its name."""
    for expression in KINDS[kind][1]:
        spans = [
            match.span(match.lastindex or 0)
            for match in compiled(expression).finditer(data)
            if kind != "card" or is_card(match.group())
        ]
        data = with_spans(data, spans, f"[{kind}]".encode())
    return data


def spans_within(expression: Any, data: bytes, ends: float) -> list[tuple[int, int]] | None:
    """Where the expression matches something; None when this thread's clock passes `ends` over it."""
    spans, at, size = [], 0, len(data)
    end = min(WINDOW, size)
    while at < size:
        if time.thread_time() > ends:
            return None
        match = expression.search(data, at, end)
        if match is not None and match.end() == end < size:
            end = min(size, end + max(WINDOW, end - at))  # it may go on behind the window
            continue
        if match is None:
            at = size if end == size else max(at + 1, end - OVERLAP)
        else:
            if match.end() > match.start():
                spans.append(match.span())
            at = max(match.end(), match.start() + 1)
        end = min(max(end, at + WINDOW), size)
    return spans


def with_spans(data: bytes, spans: Sequence[tuple[int, int]], word: bytes) -> bytes:
    """The data with the word in the place of each span."""
    if not spans:
        return data
    pieces, at = list[bytes](), 0
    for start, end in spans:
        pieces += (data[at:start], word)
        at = end
    return b"".join((*pieces, data[at:]))


def is_card(candidate: bytes) -> bool:
    """Whether the digits end on their check digit (Luhn, ISO/IEC 7812-1) and are as many as such a card has."""
    digits = [byte - 48 for byte in candidate if 48 <= byte <= 57]
    if len(set(digits)) == 1 or (len(digits) == 13 and digits[0] != 4):
        return False
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def collect(value: Any, into: list[str]) -> None:
    """Every string of a JSON value, names of fields before what they hold."""
    if type(value) is str:
        into.append(value)
    elif type(value) is dict:
        for name, inner in value.items():
            into.append(name)
            collect(inner, into)
    elif type(value) is list:
        for inner in value:
            collect(inner, into)


def rebuilt(value: Any, strings: Iterator[str], *, hides_keys: bool) -> Any:
    """The value with these strings in the places `collect` took them from."""
    if type(value) is str:
        return next(strings)
    if type(value) is list:
        return [rebuilt(inner, strings, hides_keys=hides_keys) for inner in value]
    if type(value) is not dict:
        return value
    fields: dict[str, Any] = {}
    for name, inner in value.items():
        told = next(strings)
        masked = rebuilt(inner, strings, hides_keys=hides_keys)
        if hides_keys and type(masked) is str and is_secret(name, masked):
            masked = "[key]"
        fields[unused(told, fields.__contains__)] = masked
    return fields


def is_secret(name: str, text: str) -> bool:
    """Whether a field is called like a secret and holds what looks like one."""
    return bool(compiled(NAMED_LIKE_A_KEY).search(name) and compiled(LIKE_A_KEY).fullmatch(text))


def unused(name: str, taken: Callable[[str], bool]) -> str:
    """The name, with a number behind it if two fields are called alike once masked."""
    chosen, number = name, 1
    while taken(chosen):
        number += 1
        chosen = f"{name} {number}"
    return chosen
