"""Alerts as a Django app; it registers how its rows grow old and how they go with their project."""

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    name = "alerts"

    def ready(self) -> None:
        from alerts import retention as alerts_retention  # noqa: PLC0415  models are ready only now
        from alerts.removal import AlertsRemover  # noqa: PLC0415
        from projects import removal  # noqa: PLC0415

        removal.register("alerts", AlertsRemover())
        alerts_retention.register()
