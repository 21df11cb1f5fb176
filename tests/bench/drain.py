"""Drains the backlog of a database in this process with the worker's own code, and says how long that took."""

import json
import os
import resource
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bloop_site.settings")
django.setup()

from ingest.buffer import waiting_items  # noqa: E402  the apps are ready only now
from ingest.flush import flush_all  # noqa: E402

waiting_items()  # connect first, as a worker has
begun, cpu = time.perf_counter(), time.process_time()
done = flush_all()
print(
    json.dumps(
        {
            "stored": done.stored,
            "seconds": time.perf_counter() - begun,
            "cpu_seconds": time.process_time() - cpu,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
        }
    )
)
