"""`demo`: two weeks of believable data for a first look."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from bloop_site.demo.generate import play


class Command(BaseCommand):
    help = "Fill in three demo projects with 40 issues and LLM traces over 14 days; does nothing when they are there."

    def handle(self, *args: Any, **options: Any) -> None:
        played = play(now=timezone.now())
        if played is None:
            self.stdout.write("The demo projects are there already.")
        else:
            self.stdout.write(
                f"Played {played.events} events of {played.issues} issues and {played.traces} LLM traces"
                f" in {played.projects} projects."
            )
