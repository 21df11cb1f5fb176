"""Alerts as a Django app: how its rows grow old and go with their project, and what it listens for."""

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    name = "alerts"

    def ready(self) -> None:
        from alerts import retention as alerts_retention  # noqa: PLC0415  models are ready only now
        from alerts.receivers import events_were_folded  # noqa: PLC0415
        from alerts.removal import AlertsRemover  # noqa: PLC0415
        from errors.signals import events_folded  # noqa: PLC0415
        from projects import removal  # noqa: PLC0415

        removal.register("alerts", AlertsRemover())
        alerts_retention.register()
        events_folded.connect(events_were_folded, dispatch_uid="alerts.nudge")
