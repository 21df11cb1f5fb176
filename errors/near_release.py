"""Names of releases that look different and probably mean the same: 1.2.0, v1.2.0, shop@1.2.0+45. Pure."""

import re
from typing import NamedTuple

BUILD = re.compile(r"(?:\+.*|\s*\([^()]*\))$")  # 1.2.0+45, 1.2.0 (45)
PREFIX = re.compile(r"^(?:release|version|rel|ver|v)[-_. /]*(?=\d)")
COMMIT = re.compile(r"[0-9a-f]{7,40}")


class Parts(NamedTuple):
    """name: of the program, if the release says it; version: what is left without build and prefix."""

    name: str
    version: str


def parts_of(release: str) -> Parts:
    """`Shop@v1.2.0+45` -> ("shop", "1.2.0"); `refs/tags/v1.2.0` -> ("", "1.2.0")."""
    name, at, version = release.strip().casefold().rpartition("@")
    if not at or not version:
        name, version = "", release.strip().casefold()
    version = BUILD.sub("", version.strip().removeprefix("refs/tags/"))
    return Parts(name.strip(), PREFIX.sub("", version) or version)


def is_near(one: str, other: str) -> bool:
    """Whether two different releases are probably meant to be one.

    They differ in a leading v or the like, in letter case, blanks, build or program name (but not if both name
    another), or one is a commit and the other its abbreviation.
    """
    if one == other:
        return False
    a, b = parts_of(one), parts_of(other)
    if a.name and b.name and a.name != b.name:
        return False
    if a.version == b.version:
        return bool(a.version)
    is_abbreviated = a.version.startswith(b.version) or b.version.startswith(a.version)
    return is_abbreviated and bool(COMMIT.fullmatch(a.version) and COMMIT.fullmatch(b.version))
