"""`serve`: Bloop on one machine, web and worker under one supervisor (design.md 1)."""

import json
import os
import socket
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from accounts.queries import oldest_admin
from accounts.services.links import issue_login_link


class Command(BaseCommand):
    help = "Start the web server and the worker, and keep them running until SIGTERM or Ctrl-C."
    requires_system_checks = ("bloop",)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=None, help="default: server.host")
        parser.add_argument("--port", type=int, default=None, help="default: server.port")

    def handle(self, *args: Any, **options: Any) -> None:
        host = options["host"] or settings.BLOOP.server.host
        port = options["port"] or settings.BLOOP.server.port
        refuse_missing_tables()
        refuse_busy_port(host, port)
        self.greet(port)
        become_supervisor(host, port)

    def greet(self, port: int) -> None:
        """Print the address, and a sign-in link for the first admin."""
        origin = settings.BLOOP.auth.rp_origin
        admin = oldest_admin()
        link = issue_login_link(username=admin.username if admin else None, now=timezone.now())
        minutes = round((link.expires_at - timezone.now()).total_seconds() / 60)
        name = admin.username if admin else "the first admin"
        self.stdout.write(f"\n  Bloop is at {origin} (listening on port {port})")
        self.stdout.write(f"  Sign in as {name}, once, within {minutes} minutes:\n\n    {link.url}\n")
        self.stdout.flush()


def refuse_missing_tables() -> None:
    """Raise CommandError when migrations are missing, rather than serve errors."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        msg = "the database is not up to date; run: manage.py migrate"
        raise CommandError(msg)


def refuse_busy_port(host: str, port: int) -> None:
    """Raise CommandError when the address cannot be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            msg = f"cannot listen on {host} port {port}: {error.strerror}"
            raise CommandError(msg) from None


def become_supervisor(host: str, port: int) -> None:
    """Replace this process with the small one that only watches."""
    worker_env = {
        "BLOOP_BEAT": "thread",
        "BLOOP_SUPERVISED": "1",
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",  # its tasks are only ours
    }
    children = [
        {"name": "web", "command": web_command(host, port), "env": {"BLOOP_SUPERVISED": "1"}},
        {"name": "worker", "command": worker_command(), "env": worker_env},
    ]
    connection.close()
    sys.stdout.flush()
    env = {**os.environ, "BLOOP_CHILDREN": json.dumps(children), "PYTHONPATH": str(settings.BASE_DIR)}
    os.execve(sys.executable, [sys.executable, "-m", "bloop_site.supervisor"], env)  # noqa: S606


def web_command(host: str, port: int) -> list[str]:
    """Granian, by default with max(1, cores - 1) processes (design.md 1)."""
    processes = settings.BLOOP.server.web_processes or max(1, (os.cpu_count() or 1) - 1)
    options = {
        "--interface": "wsgi",
        "--host": host,
        "--port": str(port),
        "--workers": str(processes),
        "--blocking-threads": str(settings.BLOOP.server.web_threads),
        # It counts connections, idle ones too: as few as there are threads, and one SDK's pool shuts everyone out.
        "--backpressure": "1024",
        "--workers-kill-timeout": "3",
        "--respawn-interval": "0.5",
        "--log-level": "error",  # its one warning is about threads, which here mostly wait for the database
    }
    flags = [word for pair in options.items() for word in pair]
    return [
        sys.executable,
        "-m",
        "granian",
        *flags,
        "--no-ws",
        "--respawn-failed-workers",
        "bloop_site.wsgi:application",
    ]


def worker_command() -> list[str]:
    """One Celery worker process; its threads mostly wait for the database or, later, for other people's servers."""
    options = ["--pool", "threads", "--concurrency", "4", "--queues", "bloop", "--loglevel", "warning"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    return [sys.executable, "-m", "celery", "--quiet", "-A", "bloop_site.celery", "worker", *options, *quiet]
