"""Ids as they come in addresses."""

from uuid import UUID


def uuid_of(text: str) -> UUID | None:
    """The UUID that `text` spells in its usual form; None for anything else."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text.lower() else None
