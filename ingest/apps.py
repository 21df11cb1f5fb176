"""The ingest app; it registers how payloads go with their project and with age, and what was refused of a project."""

from django.apps import AppConfig


class IngestConfig(AppConfig):
    name = "ingest"

    def ready(self) -> None:
        from ingest.queries import refused_of_project  # noqa: PLC0415  models are ready only now
        from ingest.removal import PayloadRemover  # noqa: PLC0415
        from ingest.retention import OldDeadLetters, OldRefusals  # noqa: PLC0415
        from projects import refused, removal, retention  # noqa: PLC0415

        removal.register("payloads", PayloadRemover())
        refused.register(refused_of_project)
        retention.register("refusals", OldRefusals())
        retention.register("dead_letters", OldDeadLetters())
