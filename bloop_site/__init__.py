"""The composition root: settings, URLs, Celery, health and the commands that know every app."""
