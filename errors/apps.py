"""The errors app; it registers itself as the owner of buffered error payloads, and how errors go with their project."""

from django.apps import AppConfig


class ErrorsConfig(AppConfig):
    name = "errors"

    def ready(self) -> None:
        from errors import retention as errors_retention  # noqa: PLC0415
        from errors.queries.projects import project_figures  # noqa: PLC0415  models are ready only now
        from errors.queries.traced import errors_naming  # noqa: PLC0415
        from errors.removal import ErrorsRemover  # noqa: PLC0415
        from errors.services.record import ErrorsHandler  # noqa: PLC0415
        from ingest import registry  # noqa: PLC0415
        from projects import crosslinks, figures, removal  # noqa: PLC0415

        registry.register("errors", ErrorsHandler())
        removal.register("errors", ErrorsRemover())
        crosslinks.register_errors(errors_naming)
        figures.register(project_figures)
        errors_retention.register()
