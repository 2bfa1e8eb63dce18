"""The file queue with strict lanes, as kombu loads it by name; decides nothing about which job is due."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from queue import Empty
from time import monotonic
from typing import Any
from uuid import uuid4

from kombu.exceptions import ChannelError
from kombu.transport import filesystem
from kombu.transport.filesystem import exchange_queue_t

from config.envelopes import Checked
from config.queue_files import MAX_MESSAGE_BYTES, change_bindings, list_messages, read_bindings, take_message

_LONGEST_WAIT_S = 0.2


class InOrder:
    """Asks resources in the order of their names and takes from the first that has something.

    >>> lanes = {"lane-3-bulk": ["b1", "b2"], "lane-1-nightly": ["n1"]}
    >>> def take(lane, _):
    ...     if not lanes[lane]:
    ...         raise Empty
    ...     return lanes[lane].pop(0)
    >>> cycle = InOrder(take, lanes)
    >>> [cycle.get(None) for _ in range(3)]
    ['n1', 'b1', 'b2']
    """

    def __init__(self, take: Callable[[str, Any], Any], resources: Iterable[str]) -> None:
        self._take = take
        self._resources = resources

    def get(self, callback: Any) -> Any:
        """Return what the first resource that is not empty gives.

        Raises:
            Empty: Every one is.
        """
        for resource in sorted(self._resources):
            try:
                return self._take(resource, callback)
            except Empty:
                continue
        raise Empty

    def close(self) -> None:
        """Do nothing; kombu closes what it cycles with."""


class Channel(filesystem.Channel):
    """Serves the lanes as `queue_order_strategy: sorted` does on Redis.

    kombu's own file queue takes turns between its queues, so every second job of a worker was a bulk one
    while nightly work waited. It also shows a message while it is being written, and a reader that takes it then ends
    with an error; and it waits for a pipe, follows links, and ends its process for junk in its folder.
    """

    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]
        """Add a message, of which a reader sees all or nothing."""
        content = filesystem.dumps(payload).encode()  # type: ignore[attr-defined, no-untyped-call]
        if len(content) > MAX_MESSAGE_BYTES:  # no reader would take it
            raise ChannelError(f"a message has {len(content)} bytes, allowed are {MAX_MESSAGE_BYTES}")
        folder, name = Path(self.data_folder_out), f"{round(monotonic() * 1000)}_{uuid4()}"
        unfinished = folder / f".{name}.part"
        try:
            unfinished.write_bytes(content)
            unfinished.rename(folder / f"{name}.{queue}.msg")
        except OSError as error:
            with suppress(OSError):
                unfinished.unlink()
            raise ChannelError(f"a message cannot be added to {folder}: {error.strerror}") from error

    def _get(self, queue: str, timeout: Any = None) -> Any:  # noqa: ARG002 - kombu's signature
        """Take the next message; a file that is none is dropped, and what is no file is left alone."""
        folder = Path(self.data_folder_in)
        for name in list_messages(folder, queue):
            payload = take_message(folder / name, Path(self.processed_folder) / name)
            if payload is not None:
                return payload
        raise Empty

    def _size(self, queue: str) -> int:
        return len(list_messages(Path(self.data_folder_in), queue))

    def get_table(self, exchange: str) -> list[exchange_queue_t]:
        """Return the queues that are bound to an exchange."""
        return read_bindings(self._exchange_file(exchange))  # type: ignore[no-untyped-call]

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        binding = exchange_queue_t(routing_key or "", pattern or "", queue or "")
        file = self._exchange_file(exchange)  # type: ignore[no-untyped-call]
        change_bindings(file, lambda table: table if binding in table else [binding, *table])

    def _delete(self, queue: str, exchange: str, routing_key: str, pattern: str, *_: Any, **__: Any) -> None:
        self._purge(queue)  # type: ignore[no-untyped-call]
        binding = exchange_queue_t(routing_key or "", pattern or "", queue or "")
        file = self._exchange_file(exchange)  # type: ignore[no-untyped-call]
        change_bindings(file, lambda table: [row for row in table if row != binding])

    def _reset_cycle(self) -> None:
        self._cycle = InOrder(self._get_and_deliver, self._active_queues)


class Transport(Checked, filesystem.Transport):
    """kombu's file transport with the channel above, whose owner is never kept waiting for long."""

    Channel = Channel

    @property
    def default_connection_params(self) -> dict[str, Any]:
        """Name no host: kombu would warn that it puts localhost in the place of none, and files have neither."""
        return {}

    def drain_events(self, connection: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        """Deliver the next message.

        Args:
            connection: kombu's own.
            timeout: Seconds to wait, cut to 0.2; None waits for ever.
            **kwargs: None is known.

        Raises:
            TimeoutError: No message came.
        """
        # A worker that is told to stop first finishes this wait and then begins another: of Celery's 2 s each,
        # 4 s went by at the end of every `tonalog run` (measured).
        wait_s = None if timeout is None else min(timeout, _LONGEST_WAIT_S)
        return super().drain_events(connection, timeout=wait_s, **kwargs)  # type: ignore[no-untyped-call]
