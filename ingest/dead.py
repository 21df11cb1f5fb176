"""What becomes of dead letters: back into the buffer, or away. With `ingest.buffer` the only code that writes them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from accounts.audit import Action, Actor, record
from bloop_site.lib.turn import write_turn
from ingest import buffer
from ingest.models import DeadPayload
from ingest.registry import handlers

CHUNK = 1_000
COPY_SQL = """
    INSERT INTO ingest_bufferedpayload (kind, project_id, body, items, received_ms)
    SELECT kind, project_id, body, items, received_ms FROM ingest_deadpayload WHERE id IN ({marks}) ORDER BY id
"""


@dataclass(frozen=True)
class Letter:
    """A dead letter without its body."""

    id: int
    kind: str
    project_id: str
    items: int


def retry(*, ids: Sequence[int], actor: Actor, now: datetime) -> int:
    """Put dead letters back into the buffer, with the time they were received. Returns how many went back.

    A letter goes back once, however many people ask at the same moment: the rows are locked, and whoever comes second
    finds them gone. Ids that are gone, and kinds that nobody folds, are left alone. One transaction, with its audit
    entry; nothing is written when nothing went back. Raises buffer.BufferFull, having written nothing.
    """
    with holding(ids) as letters:
        known = handlers()
        back = [letter for letter in letters if letter.kind in known]
        if not back:
            return 0
        buffer.backlog.reserve(sum(letter.items for letter in back))
        with connection.cursor() as cursor:
            for part in parts([letter.id for letter in back]):
                cursor.execute(COPY_SQL.format(marks=", ".join(["%s"] * len(part))), part)
        remove(back)
        note(back, action=Action.DEAD_LETTERS_RETRIED, actor=actor, now=now)
    return len(back)


def discard(*, ids: Sequence[int], actor: Actor, now: datetime) -> int:
    """Remove dead letters for good. Returns how many there were. One transaction, with its audit entry."""
    with holding(ids) as letters:
        if letters:
            remove(letters)
            note(letters, action=Action.DEAD_LETTERS_DISCARDED, actor=actor, now=now)
    return len(letters)


@contextmanager
def holding(ids: Sequence[int]) -> Iterator[list[Letter]]:
    """The letters that are still there, in order of burial, locked until the block's transaction ends."""
    with write_turn, transaction.atomic():
        letters: list[Letter] = []
        for part in parts(sorted(set(ids))):
            rows = DeadPayload.objects.select_for_update().filter(pk__in=part).order_by("pk")
            letters += [Letter(*row) for row in rows.values_list("id", "kind", "project_id", "items")]
        yield letters


def remove(letters: Sequence[Letter]) -> None:
    """Delete locked letters."""
    for part in parts([letter.id for letter in letters]):
        DeadPayload.objects.filter(pk__in=part).delete()


def note(letters: Sequence[Letter], *, action: Action, actor: Actor, now: datetime) -> None:
    """One audit entry for all of them; it names the project when they are of one."""
    projects = {letter.project_id for letter in letters}
    items = Counter[str]()
    for letter in letters:
        items[letter.kind] += letter.items
    record(
        actor=actor,
        action=action,
        target=f"{len(letters):,} dead letter{'' if len(letters) == 1 else 's'}",
        now=now,
        project_id=projects.pop() if len(projects) == 1 else None,
        detail={"letters": len(letters), "items": dict(items)},
    )


def parts(ids: Sequence[int]) -> Iterator[list[Any]]:
    """The ids in lists that fit into a statement."""
    for start in range(0, len(ids), CHUNK):
        yield list(ids[start : start + CHUNK])
