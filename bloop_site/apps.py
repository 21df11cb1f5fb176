"""The site as a Django app: its commands, template tags and system checks."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "bloop_site"

    def ready(self) -> None:
        from bloop_site import celery, checks, logs  # noqa: F401, PLC0415  tasks find their app, checks register

        logs.configure()
