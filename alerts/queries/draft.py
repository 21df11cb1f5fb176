"""A rule that is being written."""

from dataclasses import dataclass

from django.conf import settings

from alerts.configs import Config
from bloop_site.lib.clock import SECOND_MS
from errors.queries.alerting import Narrowed


@dataclass(frozen=True)
class Draft:
    """A rule that is not saved yet. cooldown_secs: None for the server's."""

    config: Config
    project_id: str | None
    environment_filter: str | None = None
    source_filter: str | None = None
    cooldown_secs: int | None = None

    @property
    def narrowed(self) -> Narrowed:
        return Narrowed(self.environment_filter or None, self.source_filter or None)

    @property
    def cooldown_ms(self) -> int:
        secs = settings.BLOOP.alerting.cooldown_secs if self.cooldown_secs is None else self.cooldown_secs
        return int(secs) * SECOND_MS
