"""The ingest app; it registers how the payloads of a deleted project go."""

from django.apps import AppConfig


class IngestConfig(AppConfig):
    name = "ingest"

    def ready(self) -> None:
        from ingest.removal import PayloadRemover  # noqa: PLC0415  models are ready only now
        from projects import removal  # noqa: PLC0415

        removal.register("payloads", PayloadRemover())
