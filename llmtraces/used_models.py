"""Which models and providers the spans of a trace used, as one short text that a list of traces looks for one in. Pure.

Each pair stands between two marks, so that a model is found with any provider, and a provider with any model.
"""

from collections.abc import Iterable

PAIR, PART = "\x1e", "\x1f"  # before and after a pair, and between its model and its provider: names hold neither
MAX_CHARACTERS = 400  # it stands in an index, which PostgreSQL bounds at 2,700 bytes an entry


def used_models(pairs: Iterable[tuple[str, str]]) -> str | None:
    """The text of these (model, provider); "" for none is left out. None when it would be too long or not clear."""
    named = sorted({pair for pair in pairs if pair != ("", "")})
    if any(mark in name for pair in named for name in pair for mark in (PAIR, PART)):
        return None
    text = "".join(f"{PAIR}{model}{PART}{provider}" for model, provider in named)
    return f"{text}{PAIR}" if 0 < len(text) < MAX_CHARACTERS else (None if text else "")


def sought(model: str, provider: str) -> str | None:
    """What stands in the text of a trace with this model and provider, "" for any; None when no text can tell."""
    if any(mark in name for name in (model, provider) for mark in (PAIR, PART)):
        return None
    return f"{PAIR if model else ''}{model}{PART}{provider}{PAIR if provider else ''}"
