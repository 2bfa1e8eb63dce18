"""Ask the broker how many messages wait in a queue; never sends one nor takes one."""

from __future__ import annotations

from collections.abc import Iterable

from celery import Celery
from kombu.exceptions import OperationalError

_CONNECT_TIMEOUT_S = 5


def count_waiting(app: Celery, queues: Iterable[str]) -> dict[str, int]:
    """Count the messages that nobody has taken yet, by queue; a queue that is not there holds none.

    Raises:
        OperationalError: The broker cannot be asked.
    """
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0.2, timeout=_CONNECT_TIMEOUT_S)
        try:
            with connection.channel() as channel:
                # Not passive: under a key prefix kombu 5.7 then finds no queue in Redis.
                return {queue: channel.queue_declare(queue=queue).message_count for queue in queues}
        except connection.recoverable_connection_errors as error:
            raise OperationalError(type(error).__name__) from error
