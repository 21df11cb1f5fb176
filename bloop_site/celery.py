"""Celery: the queues, the beat table, and a beat that lives in the worker process when there is only one."""

import gc
import os
import sys
from typing import Any

from celery import Celery, bootsteps
from celery.signals import setup_logging, task_postrun, task_prerun, worker_init, worker_ready, worker_shutdown

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bloop_site.settings")

import structlog
from django.conf import settings
from django.db import close_old_connections

from bloop_site.lib import file_queue

file_queue.register()
app = Celery("bloop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_ignore_result=True,
    task_default_queue="bloop",
    task_acks_late=False,  # a lost task is harmless: the rows stay and the next tick finds them
    task_publish_retry=False,
    worker_enable_remote_control=False,
    worker_hijack_root_logger=False,
    # Celery would open and close the database for each task, a third of what an idle second costs (see bind_task).
    CELERY_DB_REUSE_MAX=10**9,
    broker_connection_retry_on_startup=True,
    timezone="UTC",
    beat_scheduler="celery.beat:Scheduler",  # in memory: every entry repeats within seconds, nothing to remember
    beat_schedule={
        # The net below ingest's own nudges, which come sooner (ingest.nudge).
        "flush": {
            "task": "ingest.tasks.flush",
            "schedule": settings.BLOOP.pipeline.flush_interval_secs,
            "options": {"queue": "bloop", "expires": 10},
        },
        # A deletion sends its own; this goes on with one that a worker died over.
        "remove-projects": {
            "task": "projects.tasks.remove_projects",
            "schedule": 60,
            "options": {"queue": "bloop", "expires": 60},
        },
        "continue-bulks": {
            "task": "errors.tasks.continue_bulks",
            "schedule": 60,
            "options": {"queue": "bloop", "expires": 60},
        },
        "continue-recalculations": {
            "task": "llmtraces.tasks.continue_recalculations",
            "schedule": 60,
            "options": {"queue": "bloop", "expires": 60},
        },
        "end-mutes": {
            "task": "errors.tasks.end_mutes",
            "schedule": 60,
            "options": {"queue": "bloop", "expires": 60},
        },
        # Whoever fires an alert sends its own; this is for what is tried again.
        "deliver-alerts": {
            "task": "alerts.tasks.deliver",
            "schedule": 10,
            "options": {"queue": "bloop", "expires": 10},
        },
        "purge-expired": {
            "task": "projects.tasks.purge_expired",
            "schedule": settings.BLOOP.retention.prune_interval_secs,
            "options": {"queue": "bloop", "expires": settings.BLOOP.retention.prune_interval_secs},
        },
        # Who begins a pass sends its own; this goes on with one that a worker died over.
        "purge": {"task": "projects.tasks.purge", "schedule": 60, "options": {"queue": "bloop", "expires": 60}},
        "prune-accounts": {"task": "accounts.tasks.prune", "schedule": 3600, "options": {"queue": "bloop"}},
    },
)
app.autodiscover_tasks()


class BeatThread(bootsteps.StartStopStep):
    """Runs beat as a thread of the worker (`BLOOP_BEAT=thread`): no second process to watch, feed or lose."""

    requires = ("celery.worker.components:Pool",)

    def include_if(self, parent: Any) -> bool:
        return os.environ.get("BLOOP_BEAT") == "thread"

    def create(self, parent: Any) -> Any:
        from celery.beat import EmbeddedService  # noqa: PLC0415  beat is loaded only where it runs

        return EmbeddedService(parent.app, thread=True, scheduler_cls="celery.beat:Scheduler")

    def start(self, parent: Any) -> None:
        self.obj.start()

    def stop(self, parent: Any) -> None:
        self.obj.service.stop()  # without waiting out its sleep: the thread is a daemon


app.steps["worker"].add(BeatThread)


@worker_init.connect
def hand_over_soon(**_: Any) -> None:
    """A task that has SQLite's turn to write waits for Python's lock after each statement: not 5 ms each time."""
    sys.setswitchinterval(0.001)


@worker_ready.connect
def spare_the_collector(**_: Any) -> None:
    """All that is loaded stays: taken out of the collector's sight, which else walks it during a turn to write."""
    gc.collect()
    gc.freeze()


@worker_ready.connect
def purge_at_the_start(**_: Any) -> None:
    """Contract 3.4: retention runs at start-up, then at its interval."""
    from projects.tasks import purge_expired  # noqa: PLC0415  the apps are loaded only now

    purge_expired.apply_async(expires=60, retry=False)


@worker_shutdown.connect
def flush_at_the_end(**_: Any) -> None:
    """On SIGTERM fold what still waits, within the time the supervisor grants."""
    from ingest.flush import flush_all  # noqa: PLC0415  the apps are loaded only now

    flush_all(seconds=2.0)


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Celery leaves logging alone; the site's app configures it in ready()."""


@task_prerun.connect
def bind_task(task_id: str, task: Any, **_: Any) -> None:
    close_old_connections()  # one that broke is not used again
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(task_id=task_id, task=task.name)


@task_postrun.connect
def unbind_task(**_: Any) -> None:
    structlog.contextvars.clear_contextvars()
