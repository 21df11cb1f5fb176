"""`verify_rollups`: recompute every LLM rollup from its traces, and name what differs."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from bloop_site.lib.output import print_json
from llmtraces.queries.verify import differences


class Command(BaseCommand):
    help = "Compare the LLM rollups with what the traces add up to; exit code 1 when anything differs."

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            found = differences()
        print_json(self.stdout, differences=found)
        if found:
            raise SystemExit(1)
