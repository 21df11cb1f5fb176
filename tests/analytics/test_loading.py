"""numpy is loaded when Insights is asked, and by who packs: not by a server that starts, takes events in and folds."""

import subprocess
import sys

SERVER = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bloop_site.settings")
import django
django.setup()
import bloop_site.urls, bloop_site.wsgi, bloop_site.celery, errors.tasks, errors.services.record
from analytics.queries import correlations, environments, movers, releases, spikes
assert "numpy" not in sys.modules, [name for name in sys.modules if name.startswith("numpy")][:3]
import errors.queries.packed
assert "numpy" in sys.modules
"""


def test_a_server_that_starts_takes_events_in_and_folds_them_loads_no_numpy():
    done = subprocess.run([sys.executable, "-c", SERVER], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
