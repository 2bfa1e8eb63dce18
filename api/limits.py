"""How many requests a key may make; counted in the memory of this process, so that two processes allow twice as many."""

import math
import threading
from collections.abc import Callable

_BURST_S = 2.0


class RateLimiter:
    """A token bucket for each key: it holds what is allowed in 2 s, one at least, and fills by the second."""

    def __init__(self, per_s: float, *, clock: Callable[[], float]) -> None:
        self._per_s = per_s
        self._size = max(1.0, per_s * _BURST_S)
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[int, tuple[float, float]] = {}  # tokens, and when they were counted

    def take(self, key_id: int) -> int | None:
        """Take one request of a key's allowance.

        >>> limiter = RateLimiter(0.5, clock=lambda: 0.0)
        >>> limiter.take(1), limiter.take(1), limiter.take(2)
        (None, 2, None)

        Returns:
            None where it is allowed; else after how many whole seconds the next one is.
        """
        now = self._clock()
        with self._lock:
            tokens, counted_at = self._buckets.get(key_id, (self._size, now))
            tokens = min(self._size, tokens + (now - counted_at) * self._per_s)
            is_allowed = tokens >= 1.0
            tokens -= is_allowed
            self._buckets[key_id] = (tokens, now)
        return None if is_allowed else max(1, math.ceil((1.0 - tokens) / self._per_s))
