"""Fetch the next recording while one is scored: one ahead, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from types import TracebackType

from db.rows import Claim
from storage.objects import OpenedObject


class Prefetch(AbstractContextManager["Prefetch"]):
    """Gives the copies of claimed recordings; a thread of its own asks the store for them."""

    def __init__(self, claims: Sequence[Claim], fetch: Callable[[Claim], OpenedObject]) -> None:
        """Ask for nothing yet.

        Args:
            claims: in the order in which their recordings will be taken.
            fetch: gives the whole copy of one; what it raises, `take` raises.
        """
        self._order = [claim.job_id for claim in claims]
        self._claims = {claim.job_id: claim for claim in claims}
        self._fetch = fetch
        self._asked: dict[int, Future[OpenedObject]] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="fetch")

    def take(self, job_id: int) -> OpenedObject:
        """Return the copy of a job's recording, and have the next one fetched meanwhile; the caller closes the copy.

        Raises:
            StorageError, AudioError: as the store and the limits on size say.
        """
        present = self._asked.pop(job_id, None) or self._ask(job_id)
        self._forget_others()  # of a job that ended before its copy was taken
        after = self._order[self._order.index(job_id) + 1 :]
        if after:
            self._asked[after[0]] = self._ask(after[0])
        return present.result()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._forget_others()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _ask(self, job_id: int) -> Future[OpenedObject]:
        return self._pool.submit(self._fetch, self._claims[job_id])

    def _forget_others(self) -> None:
        for asked in self._asked.values():
            if not asked.cancel():
                asked.add_done_callback(_close)
        self._asked.clear()


def _close(asked: Future[OpenedObject]) -> None:
    if not asked.cancelled() and asked.exception() is None:
        asked.result().file.close()
