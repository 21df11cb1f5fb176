"""Under the policy `none` no byte of a prompt is found on disk: database file, WAL, buffer, dead letters, logs.

A server of its own on a file database, as people run it; everything it leaves behind is read byte by byte.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.sqlite  # the server it starts has a file of its own, whatever the tests have
ROOT = Path(__file__).parents[2]
WORDS = ("prompt-4711-input", "prompt-4711-output", "prompt-4711-metadata", "prompt-4711-unknown", "prompt-4711-put")
SCRIPT = """
import json, sys
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.db import connection
from django.test import Client
from django.utils import timezone
from ingest.flush import flush_all
from ingest.models import BufferedPayload, DeadPayload
from llmtraces.models import LlmSettings, Trace
from projects.services.projects import create_project
from tests.factories import post_signed, sign

own, kept_words = sys.argv[1], sys.argv[2:]
new = create_project(name="Shop", slug="shop", created_by=None, now=timezone.now())
if own:
    LlmSettings.objects.create(project=new.project, content_storage=own)
texts = dict(zip(("input", "output"), kept_words)) | {"metadata": {"x": kept_words[2]}, "surprise": kept_words[3]}
client = Client(raise_request_exception=False)

def send(value, path="/v1/traces"):
    return post_signed(client, path, json.dumps(value).encode(), key=new.api_key).status_code

body = {"id": "t1", **texts, "spans": [{"id": "s", **texts}]}
assert send(body) == 200
assert BufferedPayload.objects.exists()  # what waits in the buffer is on disk by now
assert send({"traces": [body, {"id": "bad", "spans": 7, **texts}]}, "/v1/traces/batch") == 200
assert send({"id": "x" * 200, **texts}) == 400
flush_all()
put = json.dumps({"output": kept_words[4]}).encode()
headers = {"X-Signature": sign(put, new.api_key), "X-Project-Key": new.api_key}
assert client.put("/v1/traces/t1", put, content_type="application/json", headers=headers).status_code == 200
# One that the database refuses becomes a dead letter.
with connection.cursor() as cursor:
    cursor.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON llmtraces_span WHEN NEW.span_id = 'poison'"
        " BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
assert send({**body, "id": "t2", "spans": [{"id": "poison", **texts}]}) == 200
flush_all()
assert DeadPayload.objects.count() == 1
assert Trace.objects.filter(trace_id="t1").exists()
import os
os._exit(0)  # as if it were killed: the WAL stays
"""


def left_behind(folder: Path, *, default: str, own: str) -> bytes:
    """Everything a server with this policy leaves on disk, and all it says."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "bloop_site.settings",
        "BLOOP__DATABASE__PATH": str(folder / "bloop.db"),
        "BLOOP__LLM_TRACING__DEFAULT_CONTENT_STORAGE": default,
    }
    environment.pop("DATABASE_URL", None)
    run = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", SCRIPT, own, *WORDS],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        timeout=180,
        check=False,
    )
    assert run.returncode == 0, run.stderr.decode()[-3000:]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"bloop.db", "bloop.db-wal"} <= {path.name for path in files}
    return b"".join([*(path.read_bytes() for path in files), run.stdout, run.stderr])


def test_with_none_no_byte_of_a_prompt_is_on_disk_even_where_the_server_keeps_all(tmp_path: Path):
    found = left_behind(tmp_path, default="full", own="none")

    assert [word for word in WORDS if word.encode() in found] == []


def test_with_full_they_are_all_there(tmp_path: Path):
    """The same run, so that the test above cannot pass for another reason."""
    found = left_behind(tmp_path, default="none", own="full")

    assert [word for word in WORDS if word.encode() not in found] == []
