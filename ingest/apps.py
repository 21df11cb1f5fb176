"""The ingest app; it registers how the payloads of a deleted project go, and what goes with age."""

from django.apps import AppConfig


class IngestConfig(AppConfig):
    name = "ingest"

    def ready(self) -> None:
        from ingest.removal import PayloadRemover  # noqa: PLC0415  models are ready only now
        from ingest.retention import OldDeadLetters, OldRefusals  # noqa: PLC0415
        from projects import removal, retention  # noqa: PLC0415

        removal.register("payloads", PayloadRemover())
        retention.register("refusals", OldRefusals())
        retention.register("dead_letters", OldDeadLetters())
