"""Names and Celery settings that the scheduler and the worker share; opens no connection.

A message is one task name and a few integer job ids. The SQL ledger is the truth and a message only a notification:
losing one costs one sweep, repeating it costs nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from config.broker_tls import tls_options
from config.home import prepare_home
from config.settings import Settings

SCORE_TASK: Final = "tonalog.score"
TICK_TASK: Final = "tonalog.tick"
NIGHTLY_TASK: Final = "tonalog.nightly"

# Strict order: a worker takes from a later lane only when the earlier ones are empty.
# (On Redis by `queue_order_strategy`, on the file queue by `config.file_queue`.)
# Interactive is what somebody uploaded over HTTP and waits for.
# Quarantine stands before bulk because the pump lets only a few of its jobs through beside a reprocess:
# behind bulk, which the pump keeps full, they would wait for the end of the whole reprocess.
LANES: Final = ("interactive", "nightly", "quarantine", "bulk")
SCHEDULER_QUEUE: Final = "scheduler"
JOBS_PER_MESSAGE: Final = 16
"""How many jobs of short recordings one message names at most."""
_FILE_TRANSPORT: Final = "config.file_queue:Transport"
_REDIS_TRANSPORT: Final = "config.redis_queue:Transport"

# Twice the hard time limit would hold a lost message for half an hour; the sweep heals it sooner,
# and this only bounds how long Redis itself keeps an unacknowledged copy.
_VISIBILITY_FACTOR = 2


def lane_queue(lane: str) -> str:
    """Return the queue name of a lane; names sort in the order of the lanes.

    Counted from 0, so that the queues of an earlier release keep their names and lose no message at an upgrade.

    >>> lane_queue("bulk")
    'lane-3-bulk'
    """
    return f"lane-{LANES.index(lane)}-{lane}"


def celery_settings(settings: Settings) -> Mapping[str, Any]:
    """Return the Celery configuration; each choice answers a measured failure of the broker.

    Redis loses messages on half-open links and repeats them on long tasks; late acknowledgement with
    `reject_on_worker_lost` loops on poison (15 deaths in 60 s); prefetching starves other workers.
    """
    return {
        "broker_url": settings.broker,
        "broker_transport": _FILE_TRANSPORT if settings.is_embedded_broker else _REDIS_TRANSPORT,
        "broker_transport_options": _transport_options(settings),
        "broker_use_ssl": tls_options(
            settings.broker,
            ca_file=settings.broker_ca_file,
            cert_file=settings.broker_cert_file,
            key_file=settings.broker_key_file,
        ),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "task_serializer": "json",
        "accept_content": ["json"],
        "result_accept_content": ["json"],
        "result_backend": None,
        "task_ignore_result": True,
        "task_acks_late": True,
        "task_acks_on_failure": True,
        "task_acks_on_timeout": True,
        "task_reject_on_worker_lost": False,
        "task_remote_tracebacks": False,
        "task_create_missing_queues": True,
        "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0.2},
        "task_soft_time_limit": settings.soft_time_limit_s,
        "task_time_limit": settings.time_limit_s,
        "worker_prefetch_multiplier": 1,
        "worker_eta_task_limit": 100,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # Off together with gossip and mingle, workers stopped consuming after a Redis restart (7 of 11).
        "worker_enable_remote_control": True,
        # Ids, lanes and times of jobs, for tools such as Flower. Where the queue is a folder nobody could read them.
        "worker_send_task_events": settings.task_events and not settings.is_embedded_broker,
        "task_send_sent_event": settings.task_events and not settings.is_embedded_broker,
        "worker_max_tasks_per_child": 500,
        "worker_max_memory_per_child": 700_000,
        # On QUIT and on a second INT; Celery sleeps through all of it where anything runs (5.7), so it has to be short.
        # What is cut off afterwards is taken back when its lease runs out, as after a kill.
        "worker_soft_shutdown_timeout": settings.lease_s / 2,
        "worker_enable_soft_shutdown_on_idle": False,
        "worker_hijack_root_logger": False,
        "enable_utc": True,
        "timezone": "UTC",
    }


def _transport_options(settings: Settings) -> dict[str, Any]:
    if settings.is_embedded_broker:
        folder = settings.home.resolve() / "queue"
        return {
            "data_folder_in": str(folder / "messages"),
            "data_folder_out": str(folder / "messages"),
            "control_folder": str(folder / "control"),
            "processed_folder": str(folder / "moved"),
            # A worker whose processes are busy looks again only after this: at 0.1 s two processes end 19 jobs a second at
            # most, at 0.02 s 73 (and an idle worker takes 1.5 % of a core in place of 0.4 %).
            "polling_interval": 0.02,
        }
    return {
        "visibility_timeout": _VISIBILITY_FACTOR * settings.time_limit_s,
        "unacked_restore_throttle": 1,
        "unacked_restore_limit": 1_000,  # at a time: Redis keeps as many as someone writes into it
        # Strict lanes: kombu asks the queues in sorted order, and lane queues are numbered.
        "queue_order_strategy": "sorted",
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 25,
        "global_keyprefix": "tonalog:",
    }


def move_messages_in_home(settings: Settings) -> None:
    """Let the file queue of this process move each message within the home; for processes that take messages.

    It moves them through the temporary folder, and only a rename on one file system is atomic, so that two workers
    never read the same message.
    """
    if settings.is_embedded_broker:
        tempfile.tempdir = str(settings.home.resolve() / "queue" / "moved")


def prepare_folders(settings: Settings) -> None:
    """Make `home`, and in it the database's file and the file queue's folders, for their owner only.

    Raises:
        SettingsError: One of them cannot be made, or others could write there.
    """
    queue = ("queue", "queue/messages", "queue/control", "queue/moved")
    prepare_home(
        settings.home,
        folders=queue if settings.is_embedded_broker else (),
        database=settings.database if isinstance(settings.database, Path) else None,
    )
