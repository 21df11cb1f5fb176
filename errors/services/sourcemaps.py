"""Stores and deletes source maps."""

import hashlib
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.audit import Action, Actor, record
from bloop_site.lib.turn import write_turn
from errors.models import SourceMap
from errors.queries.sourcemaps import maps_of
from errors.sourcemap import SourceMapInvalid, is_packed, packed, read_map, unpacked
from projects.models import Project
from projects.services.locking import locked_project

MAX_RELEASE = 256  # bytes, as of an event (errors.contract): a longer one could never match
MAX_FILENAME = 512  # bytes; a part of a form has a kilobyte for all its headers
DELETED_AT_ONCE = 20


class SourceMapGone(Exception):
    """There is no such map in the project."""


def store_source_map(
    *, project: Project, release: str, filename: str, content: bytes, actor: Actor, now: datetime, token: str = ""
) -> SourceMap:
    """Keep a map for exactly this release, in the place of the one of the same filename (contract 5.6).

    content: as uploaded, JSON or JSON in gzip; size and hash are those of the JSON. filename: kept as it is, but for
    `.gz` at the end of what was gzip. token: the name of the API token that brought it. Written with an audit entry
    when it is the first of its release or takes the place of other content: a deployment uploads hundreds.
    Returns the row without content. Raises SourceMapInvalid or ProjectGone, having written nothing.
    """
    release, filename = checked_names(release, filename.removesuffix(".gz") if is_packed(content) else filename)
    data = unpacked(content)
    read_map(data)
    values: dict[str, Any] = {
        "size_bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "content": packed(data),
        "uploaded_at": now,
        "uploaded_by": actor.user,
    }
    values["stored_bytes"] = len(values["content"])
    with transaction.atomic():
        locked_project(project.pk)  # so that two uploads of one file take turns
        of_release = SourceMap.objects.filter(project=project, release=release)
        before = of_release.filter(filename=filename).values("pk", "sha256").first()
        is_first = before is None and not of_release.exists()
        if before is None:
            pk = SourceMap.objects.create(project=project, release=release, filename=filename, **values).pk
        else:
            pk = before["pk"]
            SourceMap.objects.filter(pk=pk).update(**values)
        if is_first or (before and before["sha256"] != values["sha256"]):
            action = Action.SOURCE_MAPS_UPLOADED if is_first else Action.SOURCE_MAP_REPLACED
            target = f"{release} of {project.name}" if is_first else f"{filename} of {release}"
            note(action, target, project, actor=actor, now=now, token=token)
    return maps_of(project.pk).get(pk=pk)


def checked_names(release: str, filename: str) -> tuple[str, str]:
    """Release and filename as they are kept. Raises SourceMapInvalid for what no event and no database can hold."""
    release = release.strip()
    if not release or not filename.strip():
        raise SourceMapInvalid("release and filename must not be empty")
    for name, text, most in (("release", release, MAX_RELEASE), ("filename", filename, MAX_FILENAME)):
        if len(text.encode()) > most:
            raise SourceMapInvalid(f"the {name} is longer than {most} bytes")
        if "\x00" in text:
            raise SourceMapInvalid(f"the {name} has a NUL in it")
    return release, filename


def delete_source_map(*, project: Project, map_id: int, actor: Actor, now: datetime, token: str = "") -> None:
    """Remove a map; stacks of its release are raw again. Writes an audit entry. Raises SourceMapGone."""
    with transaction.atomic():
        row = maps_of(project.pk).filter(pk=map_id).first()
        if row is None or not SourceMap.objects.filter(pk=map_id).delete()[0]:
            raise SourceMapGone
        note(Action.SOURCE_MAP_DELETED, f"{row.filename} of {row.release}", project, actor=actor, now=now, token=token)


def delete_release_maps(*, project: Project, release: str, actor: Actor, now: datetime) -> int:
    """Remove all maps of a release, a few in each transaction: they may be gigabytes. Returns how many there were.

    One audit entry is written with the first of them.
    """
    if "\x00" in release:  # no map's has one, and PostgreSQL cannot be asked
        return 0
    rows, removed = SourceMap.objects.filter(project=project, release=release), 0
    total = rows.count()
    while True:
        with write_turn, transaction.atomic():
            found = list(rows.order_by("pk").values_list("pk", flat=True)[:DELETED_AT_ONCE])
            if found and not removed:
                note(Action.SOURCE_MAP_DELETED, f"all of {release}", project, actor=actor, now=now, maps=total)
            removed += SourceMap.objects.filter(pk__in=found).delete()[0]
        if len(found) < DELETED_AT_ONCE:
            return removed


def note(action: Action, target: str, project: Project, *, actor: Actor, now: datetime, **detail: Any) -> None:
    """Write the audit entry of an act; details that are empty are left out."""
    told = {name: value for name, value in detail.items() if value}
    record(actor=actor, action=action, target=target, now=now, project_id=project.pk, detail=told)
