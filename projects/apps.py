"""The projects app; the default project exists from the first migration on."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils import timezone


class ProjectsConfig(AppConfig):
    name = "projects"

    def ready(self) -> None:
        from projects import receivers, retention, schema  # noqa: F401, PLC0415  they register; models are ready only now

        retention.register("purge_runs", retention.OldRuns())
        post_migrate.connect(ensure_default_project, sender=self)


def ensure_default_project(**_: Any) -> None:
    """Contract 5.1: a project `default` always exists."""
    from projects.services.projects import ensure_default  # noqa: PLC0415  models are ready only now

    ensure_default(now=timezone.now())
