"""Sends what is due: takes deliveries by a lease, posts them on threads, and writes down what came of each.

Any number of senders may run. One that is killed leaves leases behind; when they end another one sends again, so that a
message may come twice and none is lost.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Protocol

from api.webhooks import messages
from api.webhooks.post import NotSent
from db import Engine, deliveries, outbox
from db.deliveries import Attempt, DueEndpoint, Taken
from db.reasons import DeliveryState, EventKind
from telemetry import metrics

# After the example of the Standard Webhooks specification (section "Deliverability and reliability").
RETRY_DELAYS_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
LEASE_S = 60.0  # four times what a request may take
N_THREADS = 32
MAX_OF_TENANT = 8
MAX_OF_ENDPOINT = 4
MAX_OF_FAILING = 1
POLL_S = 1.0
_EXPIRE_EVERY_S = 3_600.0
_JITTER = 0.1
_GONE = 410
_SUCCESS = range(200, 300)
_log = logging.getLogger(__name__)


class Post(Protocol):
    """Sends one request; raises `NotSent` where nothing answers."""

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str], /) -> int:
        """Give the status of the answer."""
        ...


class Sender:
    """One process's sending; `run` goes on until `stop`."""

    def __init__(
        self, engine: Engine, post: Post, *, keep: timedelta, random: Callable[[], float], lease_s: float = LEASE_S
    ) -> None:
        """Take what it works with.

        Args:
            engine: the database.
            post: sends one request.
            keep: how long deliveries are kept.
            random: draws from [0, 1), so that retries of many messages do not come at once.
            lease_s: how long a taken delivery is ours.
        """
        self._engine = engine
        self._post = post
        self._keep = keep
        self._random = random
        self._lease_s = lease_s
        self._under_way: Counter[tuple[str, int | str]] = Counter()
        self._lock = threading.Lock()
        self._has_news = threading.Event()
        self._is_over = threading.Event()
        self._expire_at = 0.0

    def stop(self) -> None:
        """Have `run` end after the requests that are under way."""
        self._is_over.set()
        self._has_news.set()

    def run(self) -> None:
        """Send what is due, again and again; a database that is away is asked again."""
        with ThreadPoolExecutor(N_THREADS, thread_name_prefix="webhook") as pool:
            while not self._is_over.is_set():
                try:
                    self._tick(pool)
                except Exception as error:  # noqa: BLE001 - a database that is away now may be back in a second
                    _log.warning("webhooks wait", extra={"error": type(error).__name__})
                    self._is_over.wait(POLL_S)
                self._has_news.wait(POLL_S)
                self._has_news.clear()

    def _tick(self, pool: ThreadPoolExecutor) -> None:
        while outbox.fan_out(self._engine):
            pass
        # Who has least under way comes first, so that none goes without where threads are few.
        for due in sorted(deliveries.due_endpoints(self._engine), key=lambda due: self._count("endpoint", due.id)):
            room = self._room_for(due)
            if room > 0:
                for taken in deliveries.take(self._engine, due.id, limit=room, lease_s=self._lease_s):
                    self._change_count(due, 1)
                    pool.submit(self._work, due, taken)
        if time.monotonic() >= self._expire_at:
            deliveries.expire(self._engine, keep=self._keep)
            self._expire_at = time.monotonic() + _EXPIRE_EVERY_S

    def _room_for(self, due: DueEndpoint) -> int:
        of_endpoint = MAX_OF_FAILING if due.is_failing else MAX_OF_ENDPOINT
        return min(
            N_THREADS - self._count("all", 0),
            MAX_OF_TENANT - self._count("tenant", due.tenant),
            of_endpoint - self._count("endpoint", due.id),
        )

    def _count(self, what: str, which: int | str) -> int:
        with self._lock:
            return self._under_way[what, which]

    def _change_count(self, due: DueEndpoint, change: int) -> None:
        with self._lock:
            for key in (("all", 0), ("tenant", due.tenant), ("endpoint", due.id)):
                self._under_way[key] += change
                if self._under_way[key] == 0:
                    del self._under_way[key]

    def _work(self, due: DueEndpoint, taken: Taken) -> None:
        fields = {"endpoint_id": due.id, "delivery_id": taken.id, "kind": taken.kind.value}
        try:
            attempt = self._attempt(taken)
            if attempt is not None:
                deliveries.end(self._engine, taken, attempt)
                metrics.WEBHOOK_ATTEMPTS.labels(attempt.state.value).inc()
                _log.info("webhook attempted", extra={**fields, "state": attempt.state.value, "status": attempt.status})
        except Exception as error:  # noqa: BLE001 - whatever it is, the lease ends and the delivery is taken again
            _log.warning("webhook not attempted", extra={**fields, "error": type(error).__name__})
        finally:
            self._change_count(due, -1)
            self._has_news.set()

    def _attempt(self, taken: Taken) -> Attempt | None:
        recipient = deliveries.find_recipient(self._engine, taken)
        if recipient is None:
            return None  # disabled meanwhile: it waits until the endpoint is enabled
        body = messages.compose(taken, recipient)
        if body is None:
            return Attempt(state=DeliveryState.CANCELLED, error="what it was about is not there any more")
        now = datetime.now(UTC)
        headers = messages.sign(body, message_id=taken.message_id, secrets=recipient.secrets, now=now)
        try:
            status = self._post(recipient.url, body.encode(), headers)
        except NotSent as error:
            return self._failure(taken, status=None, error=str(error))
        if status in _SUCCESS:
            return Attempt(state=DeliveryState.DELIVERED, status=status)
        return self._failure(taken, status=status, error=f"answered {status}; a status from 200 to 299 is needed")

    def _failure(self, taken: Taken, *, status: int | None, error: str) -> Attempt:
        is_gone = status == _GONE
        n_left = 0 if taken.kind is EventKind.TEST else len(RETRY_DELAYS_S) - taken.n_attempts
        if is_gone or n_left <= 0:
            return Attempt(state=DeliveryState.FAILED, status=status, error=error, is_gone=is_gone)
        delay_s = RETRY_DELAYS_S[taken.n_attempts] * (1 + _JITTER * self._random())
        return Attempt(state=DeliveryState.PENDING, status=status, error=error, retry_in_s=delay_s)
