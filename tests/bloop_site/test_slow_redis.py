"""A Redis that takes connections and never answers holds nobody up for long."""

import os
import socket
import subprocess
import sys

import pytest
from django.conf import settings

CODE = """
import time, django
django.setup()
from analytics.cached import keep, look_up
from projects.tasks import start_purging
for name, act in (("cache", lambda: (look_up("x"), keep("x", 1, 60))), ("queue", start_purging)):
    began = time.monotonic()
    act()
    assert time.monotonic() - began < 15, name
    print(name)
"""


@pytest.mark.enable_socket
def test_a_redis_that_hangs_keeps_neither_a_page_nor_a_form_waiting(tmp_path):
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        env = {
            **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
            "PYTHONPATH": str(settings.BASE_DIR),
            "DJANGO_SETTINGS_MODULE": "bloop_site.settings",
            "BLOOP__DATABASE__PATH": str(tmp_path / "bloop.db"),
            "REDIS_URL": f"redis://127.0.0.1:{silent.getsockname()[1]}/0",
        }
        done = subprocess.run(
            [sys.executable, "-c", CODE], env=env, capture_output=True, text=True, timeout=90, check=False
        )

    assert done.stdout.split() == ["cache", "queue"], done.stderr
    assert "cache_away" in done.stderr
    assert "purge_not_queued" in done.stderr
