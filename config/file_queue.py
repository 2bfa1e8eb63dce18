"""The file queue with strict lanes, as kombu loads it by name; decides nothing about which job is due."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from queue import Empty
from time import monotonic
from typing import Any
from uuid import uuid4

from kombu.exceptions import ChannelError
from kombu.transport import filesystem

from config.envelopes import Checked

_log = logging.getLogger(__name__)
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
    with an error.
    """

    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]
        """Add a message, of which a reader sees all or nothing."""
        content = filesystem.dumps(payload).encode()  # type: ignore[attr-defined, no-untyped-call]
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
        """Take the next message; a file that is none is dropped."""
        while True:
            try:
                return super()._get(queue)  # type: ignore[no-untyped-call]
            except (ValueError, RecursionError):
                _log.warning("message dropped: its file is no JSON")

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
        # 4 s went by at the end of every `tonalog run` (measured 2026-11-26).
        wait_s = None if timeout is None else min(timeout, _LONGEST_WAIT_S)
        return super().drain_events(connection, timeout=wait_s, **kwargs)  # type: ignore[no-untyped-call]
