"""Where a frame of a bundled stack stood in the original source, and the lines around it. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Context:
    """Source lines around a position: up to five before and after it."""

    before: tuple[str, ...]
    line: str
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Original:
    """A mapped position. line: one-based; column: zero-based (contract 5.6); name: of the function, if known."""

    file: str
    line: int
    column: int
    name: str | None = None
    context: Context | None = None
