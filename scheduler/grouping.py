"""Put the jobs of short recordings into common messages, so that a worker takes and finishes them together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from config.queues import JOBS_PER_MESSAGE
from db.claims import SHORT_BYTES
from db.reasons import Lane

MESSAGES_AT_LEAST = 8
"""What one pump publishes of a lane goes into so many messages where it can, so that several processes share it."""


def group(due: Sequence[tuple[int, Lane]], sizes: Mapping[int, int]) -> list[tuple[Lane, list[int]]]:
    """Make messages of due jobs, in their order.

    Args:
        due: job ids and lanes.
        sizes: of the jobs that may share a message, the bytes of their recordings.

    Returns:
        Lane and job ids of each message: at most `JOBS_PER_MESSAGE`, with `SHORT_BYTES` together, and no other job
        beside one that has no size.

    >>> group([(1, Lane.NIGHTLY), (2, Lane.NIGHTLY)], {1: 100, 2: 100})
    [(<Lane.NIGHTLY: 'nightly'>, [1]), (<Lane.NIGHTLY: 'nightly'>, [2])]
    """
    n_short = Counter(lane for job_id, lane in due if job_id in sizes)
    messages: list[tuple[Lane, list[int]]] = []
    open_ids: dict[Lane, list[int]] = {}
    n_bytes: defaultdict[Lane, int] = defaultdict(int)
    for job_id, lane in due:
        if job_id not in sizes:
            messages.append((lane, [job_id]))
            continue
        n_most = min(JOBS_PER_MESSAGE, max(1, n_short[lane] // MESSAGES_AT_LEAST))
        ids = open_ids.get(lane)
        if ids is None or len(ids) >= n_most or n_bytes[lane] + sizes[job_id] > SHORT_BYTES:
            open_ids[lane] = ids = []
            n_bytes[lane] = 0
            messages.append((lane, ids))
        ids.append(job_id)
        n_bytes[lane] += sizes[job_id]
    return messages
