"""Prints the command `serve` starts granian with, so that the yardstick runs with the same one."""

import json
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bloop_site.settings")
django.setup()

from bloop_site.management.commands.serve import web_command  # noqa: E402  the apps are ready only now

print(json.dumps({"command": web_command("127.0.0.1", json.loads(sys.argv[1])["port"])}))
