"""The errors app; it registers itself as the owner of buffered error payloads."""

from django.apps import AppConfig


class ErrorsConfig(AppConfig):
    name = "errors"

    def ready(self) -> None:
        from errors.services.record import ErrorsHandler  # noqa: PLC0415  models are ready only now
        from ingest import registry  # noqa: PLC0415

        registry.register("errors", ErrorsHandler())
