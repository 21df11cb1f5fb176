"""The site as a Django app: its commands, template tags and system checks."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "bloop_site"

    def ready(self) -> None:
        from bloop_site import checks, logs  # noqa: F401, PLC0415  checks register themselves

        logs.configure()
