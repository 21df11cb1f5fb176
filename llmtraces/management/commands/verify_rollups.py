"""`verify_rollups`: recompute every LLM rollup from its traces, and name what differs."""

from typing import Any

from django.core.management.base import BaseCommand

from bloop_site.lib.clock import day_of, now_ms
from bloop_site.lib.db import one_moment
from bloop_site.lib.output import print_json
from llmtraces.queries.verify import differences
from projects.retention import cutoffs


class Command(BaseCommand):
    help = "Compare the LLM rollups with what the traces add up to; exit code 1 when anything differs."

    def handle(self, *args: Any, **options: Any) -> None:
        # What retention may have taken from is left out: a trace and its spans may lie on either side of a midnight.
        since_ms = day_of(cutoffs(at_ms=now_ms()).hourly_ms)
        with one_moment():
            found = differences(since_ms=since_ms)
        print_json(self.stdout, differences=found)
        if found:
            raise SystemExit(1)
