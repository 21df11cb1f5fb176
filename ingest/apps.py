"""The ingest app; it registers how the payloads of a deleted project go, and what was refused of one."""

from django.apps import AppConfig


class IngestConfig(AppConfig):
    name = "ingest"

    def ready(self) -> None:
        from ingest.queries import refused_of_project  # noqa: PLC0415  models are ready only now
        from ingest.removal import PayloadRemover  # noqa: PLC0415
        from projects import refused, removal  # noqa: PLC0415

        removal.register("payloads", PayloadRemover())
        refused.register(refused_of_project)
