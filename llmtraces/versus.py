"""How one version of a prompt does beside another, in words. Pure."""

from dataclasses import dataclass
from typing import Literal

Tone = Literal["better", "worse", "same", "plain", "none"]
MANY_TIMES = 10
ABOUT = 0.01  # less than this share apart is about the same
NO_BREAK_SPACE = "\u00a0"
NOTHING = "nothing to compare"


@dataclass(frozen=True)
class Difference:
    """Words for a difference, and what to think of it: "plain" is a difference that is neither good nor bad."""

    words: str
    tone: Tone

    @property
    def icon(self) -> str:
        return {"better": "check", "worse": "warning", "same": "equal"}.get(self.tone, "dot")

    @property
    def verdict(self) -> str:
        """The word that stands beside the colour; "" where there is nothing to judge."""
        return self.tone if self.tone in ("better", "worse") else ""


def relative(before: float | None, after: float | None, *, less: str, more: str) -> Difference:
    """Two averages of which the lower is the better: "12 % faster". less, more: the words; None: there is none."""
    if before is None or after is None:
        return Difference(NOTHING, "none")
    if before == after:
        return Difference("the same", "same")
    if before > 0 and abs(after - before) / before < ABOUT:
        return Difference("about the same", "same")
    by = share_words(before, after)
    return Difference(f"{by} {less}", "better") if after < before else Difference(f"{by} {more}".strip(), "worse")


def share_words(before: float, after: float) -> str:
    """By how much of `before` the two differ: "12 %", "14 times"; of nothing "" since any share is endless."""
    if before <= 0:
        return ""
    if after / before >= MANY_TIMES:
        return f"{after / before:,.0f} times"
    return f"{abs(after - before) / before * 100:.0f}{NO_BREAK_SPACE}%"


def points(before: float | None, after: float | None) -> Difference:
    """Two percentages of which the lower is the better: "1.5 points lower"."""
    if before is None or after is None:
        return Difference(NOTHING, "none")
    if before == after:
        return Difference("the same", "same")
    by = f"{abs(after - before):.1f}".removesuffix(".0")
    by = "< 0.1" if by == "0" else by
    words = f"{by} point{'' if by == '1' else 's'}"
    return Difference(f"{words} lower", "better") if after < before else Difference(f"{words} higher", "worse")


def plain(before: int, after: int) -> Difference:
    """Two counts, none of which is the better: "40 more"."""
    if before == after:
        return Difference("the same", "same")
    return Difference(f"{abs(after - before):,} {'more' if after > before else 'fewer'}", "plain")
