"""kombu's Redis transport, as it loads it by name, with messages checked before they are unpacked."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from kombu.transport import redis
from redis.exceptions import ResponseError

from config.envelopes import TASKS_OF, Checked

_log = logging.getLogger(__name__)
_NO_MESSAGE = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
_N_BINDING_FIELDS = 3


class QoS(redis.QoS):
    """Keeps what was taken and not acknowledged, and forgets what is no message there."""

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's signature
        """Put a message back into its queue; one that cannot be read is removed, else it would stop every later one."""
        try:
            super().restore_by_tag(tag, client, leftmost)  # type: ignore[no-untyped-call]
        except _NO_MESSAGE:
            _log.warning("message dropped: what was kept of it is no JSON")
            with self.channel.conn_or_acquire(client) as connection:
                self._remove_from_indices(tag, connection.pipeline()).execute()  # type: ignore[no-untyped-call]


class Channel(redis.Channel):
    """Reads what is JSON, and sends our messages to the queue that they name and nowhere else."""

    QoS = QoS

    def _brpop_read(self, **options: Any) -> Any:
        """Take a message that has come; what is no JSON is dropped."""
        return self._drop_what_is_none(super()._brpop_read, **options)

    def _receive_one(self, client: Any) -> Any:
        """Take what was said to all; what is no JSON is dropped."""
        return self._drop_what_is_none(super()._receive_one, client)

    def _drop_what_is_none(self, read: Any, *args: Any, **options: Any) -> Any:
        try:
            return read(*args, **options)
        except (ValueError, RecursionError) as error:
            _log.warning("message dropped: it is no JSON", extra={"error": type(error).__name__})
            return True
        except ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
            self._remove_what_is_no_queue()
            return True

    def _remove_what_is_no_queue(self) -> None:
        """Remove what someone put in the place of a queue or of our bookkeeping: the ledger sends again what is lost."""
        with self.conn_or_acquire() as client:
            queues = [self._q_for_pri(queue, step) for step in self.priority_steps for queue in self.active_queues]  # type: ignore[no-untyped-call]
            looks = [(key, partial(client.llen, key)) for key in queues]
            looks.append((self.unacked_key, partial(client.hget, self.unacked_key, "")))
            looks.append((self.unacked_index_key, partial(client.zrem, self.unacked_index_key, "")))
            for key, look in looks:
                try:
                    look()
                except ResponseError:
                    _log.warning("removed what stood in the place of a queue")
                    client.delete(key)

    def _lookup(self, exchange: str, routing_key: str, default: str | None = None) -> Any:
        """Name the queues of a routing key: for ours that is the queue, whatever bindings someone wrote into Redis."""
        if routing_key in TASKS_OF:
            return [routing_key]
        return super()._lookup(exchange, routing_key, default)  # type: ignore[no-untyped-call]

    def get_table(self, exchange: str) -> list[tuple[str, ...]]:
        """Read the bindings of an exchange; what is none is passed over."""
        return [row for row in super().get_table(exchange) if len(row) == _N_BINDING_FIELDS]  # type: ignore[no-untyped-call]


class Transport(Checked, redis.Transport):
    """kombu's Redis transport with the channel above."""

    Channel = Channel
