"""Uploaded source maps, and what they say about stacks. The content of a map is read only when a stack needs it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Count, F, Max, Q, QuerySet, Sum, Window
from django.db.models.functions import RowNumber

from bloop_site.lib.clock import to_ms
from bloop_site.lib.log import logger
from errors.framepos import Filenames, Position, position_of
from errors.map_cache import Key, MapCache
from errors.models import Release, SourceMap
from errors.near_release import is_near
from errors.originals import Original
from errors.sourcemap import ParsedMap, SourceMapInvalid, read_map, unpacked

log = logger("errors.sourcemaps")
parsed_maps = MapCache(settings.BLOOP.sourcemaps.cache_bytes)
MAPS_AT_ONCE = 20  # read for one answer; those in the cache are not counted
NEAR_SHOWN = 3
COMPARED = 200


# --- Lists ------------------------------------------------------------------------------------------------------------


def maps_of(project_id: str, *, release: str = "") -> QuerySet[SourceMap]:
    """A project's maps without their content, newest first; `release`: only those of exactly this one."""
    rows = SourceMap.objects.filter(project=project_id).defer("content").select_related("project")
    return (rows.filter(release=release) if release else rows).order_by("-uploaded_at", "-id")


def releases_of(project_id: str) -> QuerySet[SourceMap, Any]:
    """Releases with maps, as dicts, the one uploaded to last first: release, files, bytes (as uploaded), last_at."""
    grouped = SourceMap.objects.filter(project=project_id).order_by().values("release")
    figures = grouped.annotate(files=Count("pk"), bytes=Sum("size_bytes"), last_at=Max("uploaded_at"))
    return figures.order_by("-last_at", "release")


@dataclass(frozen=True, slots=True)
class MapFile:
    """A map in the list of its release. uploaded_by: the name, None when nobody is known."""

    id: int
    release: str
    filename: str
    size_bytes: int
    stored_bytes: int
    uploaded_at: datetime
    uploaded_by: str | None

    @property
    def uploaded_ms(self) -> int:
        return to_ms(self.uploaded_at)


def files_of(project_id: str, releases: Iterable[str], *, limit: int) -> dict[str, list[MapFile]]:
    """The maps of each release by filename, at most `limit` of each, in one query."""
    place = Window(RowNumber(), partition_by=F("release"), order_by=(F("filename").asc(), F("pk").asc()))
    rows = SourceMap.objects.filter(project=project_id, release__in=list(releases)).annotate(place=place)
    found: defaultdict[str, list[MapFile]] = defaultdict(list)
    columns = ("pk", "release", "filename", "size_bytes", "stored_bytes", "uploaded_at", "uploaded_by__username")
    for row in rows.filter(place__lte=limit).order_by("release", "filename").values_list(*columns):
        found[row[1]].append(MapFile(*row))
    return found


class Spelling(NamedTuple):
    """How events spell a release that maps were uploaded for: like this, or nearly (newest first)."""

    is_seen: bool
    near: list[str]


def event_releases(project_id: str, *, limit: int) -> list[str]:
    """The releases that events named last first, the newest at the head."""
    rows = Release.objects.filter(project=project_id).exclude(name="unknown").order_by("-first_seen_ms", "-id")
    return list(rows.values_list("name", flat=True)[:limit])


def event_spellings(project_id: str, releases: Sequence[str]) -> dict[str, Spelling]:
    """For each of these releases, whether events name it, and if not, which of the newest 200 they name is near it."""
    seen = set(Release.objects.filter(project=project_id, name__in=releases).values_list("name", flat=True))
    newest = event_releases(project_id, limit=COMPARED) if len(seen) < len(releases) else []
    return {
        name: Spelling(name in seen, [each for each in newest if name not in seen and is_near(each, name)][:NEAR_SHOWN])
        for name in releases
    }


def has_maps(project_id: str, release: str) -> bool:
    """Whether any map was uploaded for exactly this release."""
    return SourceMap.objects.filter(project=project_id, release=release).exists()


def near_misses(project_id: str, release: str) -> list[str]:
    """Up to three releases with maps whose names are probably meant to be this one, but are not (`near_release`)."""
    names = SourceMap.objects.filter(project=project_id).order_by("release").values_list("release", flat=True)
    return [name for name in names.distinct() if is_near(name, release)][:NEAR_SHOWN]


# --- Stacks -----------------------------------------------------------------------------------------------------------


class ReleaseStack(NamedTuple):
    """A stack as it came, and what it is of."""

    project_id: str
    release: str
    stack: str


def originals_of(*, project_id: str, release: str, stack: str) -> dict[str, Original]:
    """What the maps of exactly this release say about the lines of a stack: stripped line -> where it comes from.

    Lines without a position, without a map or without a mapping are not in it (contract 5.6). One query for the names
    of the maps when there is a position at all, and one for each map that is not in the cache.
    """
    return originals_of_each([ReleaseStack(project_id, release, stack)])[0]


def originals_of_each(stacks: Sequence[ReleaseStack]) -> list[dict[str, Original]]:
    """`originals_of` for several stacks, in as many queries as for one."""
    positions = [positions_in(each.stack) for each in stacks]
    wanted = {(each.project_id, each.release) for each, found in zip(stacks, positions, strict=True) if found}
    candidates, shelf = candidates_of(wanted), Shelf()
    originals = []
    for each, found in zip(stacks, positions, strict=True):
        maps = candidates.get((each.project_id, each.release))
        originals.append(maps.originals(found, shelf) if maps else {})
    return originals


def positions_in(stack: str) -> dict[str, Position]:
    """The lines of a stack that have a position, stripped."""
    lines = dict.fromkeys(line.strip() for line in stack.split("\n"))
    return {line: position for line in lines if (position := position_of(line))}


class Shelf:
    """The parsed maps that one answer needs: from the cache, or read, as long as there are not too many to read."""

    def __init__(self) -> None:
        self.maps: dict[Key, ParsedMap | None] = {}
        self.left = MAPS_AT_ONCE

    def take(self, key: Key) -> ParsedMap | None:
        """The map, None when it cannot be had."""
        if key not in self.maps:
            if not parsed_maps.has(key):
                if not self.left:
                    return None
                self.left -= 1
            self.maps[key] = parsed_map(key)
        return self.maps[key]


def parsed_map(key: Key) -> ParsedMap | None:
    """A map from the cache or the database; None when it has gone or cannot be read any more."""
    try:
        return parsed_maps.get(key, lambda: load(key))
    except SourceMapInvalid as reason:
        log.warning("source_map_unreadable", source_map=key[0], reason=str(reason))
        return None


def load(key: Key) -> ParsedMap:
    """Read a map from the database. Raises SourceMapInvalid."""
    pk, sha256 = key
    content = SourceMap.objects.filter(pk=pk, sha256=sha256).values_list("content", flat=True).first()
    if content is None:
        raise SourceMapInvalid("it was replaced or deleted")
    return read_map(unpacked(bytes(content)))


class Candidates:
    """The maps of one release, by filename."""

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {}

    def originals(self, positions: dict[str, Position], shelf: Shelf) -> dict[str, Original]:
        """What they say about lines with positions."""
        names = Filenames(self.keys)
        found = {}
        for line, position in positions.items():
            name = names.best(position.file)
            parsed = shelf.take(self.keys[name]) if name else None
            original = parsed.original(line=position.line, column=position.column) if parsed else None
            if original:
                found[line] = original
        return found


def candidates_of(releases: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Candidates]:
    """The maps of some (project, release), read without their content in one query; none for no release."""
    condition = Q()
    for project_id, release in releases:
        condition |= Q(project=project_id, release=release)
    found: defaultdict[tuple[str, str], Candidates] = defaultdict(Candidates)
    if condition:
        rows = SourceMap.objects.filter(condition)
        for pk, project_id, release, filename, sha256 in rows.values_list(
            "pk", "project_id", "release", "filename", "sha256"
        ):
            found[project_id, release].keys[filename] = (pk, sha256)
    return found
