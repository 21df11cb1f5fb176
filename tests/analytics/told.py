"""Errors by the hour as tests of the edges of Insights tell them."""

from typing import Any

from bloop_site.lib.clock import HOUR_MS
from projects.models import Project
from tests.factories import event_json, record

HOUR = 1_760_000_000_000 - 1_760_000_000_000 % HOUR_MS
NOW = HOUR + HOUR_MS // 2  # half past


def tell(project: Project, name: str, counts: dict[int, int], **fields: Any) -> None:
    """Events of the issue `name`, which is its fingerprint, type and message: so many, so many hours ago."""
    for ago, count in counts.items():
        at = HOUR - ago * HOUR_MS + 1000
        event = {"fingerprint": name, "error_type": name, "message": f"{name} failed", "timestamp": at, **fields}
        record(project, *(event_json(**event) for _ in range(count)), received_ms=at)


def tell_everything(project: Project) -> None:
    """Something for each page: `Burst` spikes in the running hour, `Twin` goes with it, `Gone` no longer happens."""
    steady = dict.fromkeys(range(1, 24), 1)
    tell(project, "Burst", {**steady, 0: 30})
    tell(project, "Twin", {**steady, 0: 20}, environment="staging", release="1.5.0")
    tell(project, "Gone", {100: 7}, release="1.3.0")
