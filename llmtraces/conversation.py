"""What one side said in a turn of a conversation, out of the text a trace keeps. Pure."""

from dataclasses import dataclass

from llmtraces.chat import Message, messages_of, value_of

PREVIEW_CHARACTERS, PREVIEW_LINES = 600, 10
MAX_CHARACTERS = 20_000  # of a side; the page of the trace has the rest


@dataclass(frozen=True, slots=True)
class Side:
    """What was said. role: of its message, "" for a plain text; preview: its beginning, "" when it is short."""

    role: str
    text: str
    preview: str = ""
    is_cut: bool = False

    @property
    def characters(self) -> int:
        return len(self.text)


def side_of(text: str | None) -> Side | None:
    """One side of a turn: of a list of messages the last, for what came before was said in turns before; or the text.

    None when nothing is kept, or nothing was said.
    """
    if not text or not text.strip():
        return None
    messages = messages_of(value_of(text))
    role, said = (messages[-1].role, words_of(messages[-1])) if messages else ("", text)
    is_cut = len(said) > MAX_CHARACTERS or bool(messages and any(part.is_cut for part in messages[-1].parts))
    said = said[:MAX_CHARACTERS]
    return Side(role, said, preview_of(said), is_cut)


def words_of(message: Message) -> str:
    """The message's parts, one below the other; a call with the name of its tool."""
    return "\n".join(f"{part.label}: {part.text}" if part.label else part.text for part in message.parts)


def preview_of(text: str) -> str:
    """The beginning of a long text; "" when it need not be shortened."""
    lines = text.split("\n", PREVIEW_LINES)
    beginning = "\n".join(lines[:PREVIEW_LINES])[:PREVIEW_CHARACTERS]
    return "" if len(beginning) == len(text) else f"{beginning.rstrip()}…"
