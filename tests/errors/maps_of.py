"""Source maps in the database, for tests."""

from django.utils import timezone

from accounts.audit import COMMAND_LINE
from errors.models import SourceMap
from errors.services.sourcemaps import store_source_map
from projects.models import Project
from tests.maps import encoded, source_map


def put_map(
    project: Project, *, release: str = "1.4.0", filename: str = "app.js.map", content: bytes | None = None
) -> SourceMap:
    """An uploaded map."""
    return store_source_map(
        project=project,
        release=release,
        filename=filename,
        content=encoded(source_map()) if content is None else content,
        actor=COMMAND_LINE,
        now=timezone.now(),
    )
