"""The WSGI application: path escapes and bodies of unknown length are settled before Django sees the request."""

import gc
import multiprocessing
import os

from django.core.wsgi import get_wsgi_application

from bloop_site.supervisor import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bloop_site.settings")

if os.environ.get("BLOOP_SUPERVISED") and (granian := multiprocessing.parent_process()) and granian.pid:
    die_with_parent(granian.pid)  # granian's own processes: when its main process is killed, none may keep the port

django_application = get_wsgi_application()

from bloop_site.lib.bodies import largest_body  # noqa: E402  needs the settings
from bloop_site.transport import Transport  # noqa: E402
from ingest.lane import Lane  # noqa: E402  needs the apps

application = Transport(Lane(django_application, max_body=largest_body()))

# All that is loaded stays: taken out of the collector's sight, which otherwise walks it in the middle of a request.
gc.collect()
gc.freeze()
