"""Alerts as a Django app; it listens for what errors write down."""

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    name = "alerts"

    def ready(self) -> None:
        from alerts.receivers import events_were_folded  # noqa: PLC0415  models are ready only now
        from errors.signals import events_folded  # noqa: PLC0415

        events_folded.connect(events_were_folded, dispatch_uid="alerts.nudge")
