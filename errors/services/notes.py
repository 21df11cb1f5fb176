"""Notes that people write on issues."""

from django.db import transaction

from accounts.models import User
from errors.models import MAX_NOTE, Note
from errors.services.status import locked_issue


class NoteInvalid(Exception):
    """The text cannot be a note; says why."""


class NotYours(Exception):
    """Only its author or an admin may change a note."""


class NoteGone(Exception):
    """The note does not exist (any more)."""


def add_note(*, issue_id: int, text: str, author: User, now_ms: int) -> Note:
    """Write a note on the issue, or on the one that shows it. Raises NoteInvalid, IssueGone."""
    checked = checked_text(text)
    with transaction.atomic():
        issue = locked_issue(issue_id)
        return Note.objects.create(issue=issue, author=author, text=checked, created_ms=now_ms)


def edit_note(*, note_id: int, text: str, editor: User, now_ms: int) -> Note:
    """Change a note's text and say that it was changed. Raises NoteInvalid, NotYours, NoteGone."""
    checked = checked_text(text)
    with transaction.atomic():
        note = owned_note(note_id, editor)
        if note.text != checked:
            note.text, note.edited_ms = checked, now_ms
            note.save(update_fields=["text", "edited_ms"])
    return note


def delete_note(*, note_id: int, editor: User) -> None:
    """Remove a note. Raises NotYours, NoteGone."""
    with transaction.atomic():
        owned_note(note_id, editor).delete()


def owned_note(note_id: int, editor: User) -> Note:
    """The note, locked, if `editor` wrote it or is an admin."""
    note = Note.objects.select_for_update().filter(pk=note_id).first()
    if note is None:
        raise NoteGone
    if note.author_id != editor.pk and not editor.is_admin:
        raise NotYours
    return note


def checked_text(text: str) -> str:
    """The text without blanks around it. Raises NoteInvalid when nothing is left, or too much."""
    checked = text.replace("\r\n", "\n").strip()
    if not checked:
        msg = "A note needs some text."
        raise NoteInvalid(msg)
    if "\x00" in checked:
        msg = "A note cannot hold the character NUL."
        raise NoteInvalid(msg)
    if len(checked) > MAX_NOTE:
        msg = f"A note has at most {MAX_NOTE:,} characters; this one has {len(checked):,}."
        raise NoteInvalid(msg)
    return checked
