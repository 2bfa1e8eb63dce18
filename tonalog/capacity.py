"""Says what a night of so much audio needs, from what was measured; what was not measured is None."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

BUSY_SHARE = 0.8
"""Processes are counted so that they work four fifths of the window: the rest is for what goes wrong."""
LEAST_RESULTS = 1_000
"""With fewer results a database is mostly its own empty pages, so that a result seems to take more than it will."""
REDIS_MESSAGE_BYTES = 3_000
"""What a waiting message takes at the most; a test measures it."""
REFILLS_PER_S = 5
"""So many times its cap a second the scheduler can publish: a quarter of it at each look, 20 looks a second."""
PUBLISHED_PER_S = 1_000
"""What one scheduler publishes: choosing, marking and sending a job takes 0.7 ms of it, measured on one core."""
WORKER_CONNECTIONS = 40
"""Connections that deploy/postgres/roles.sql allows the role of the workers."""


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What is asked for: hours of audio a night, within a window, and how long a recording is."""

    hours: float
    window_s: float
    note_s: float

    @property
    def n_notes(self) -> int:
        """Recordings a night."""
        return ceil(self.hours * 3600 / self.note_s)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured; None where nothing was.

    `audio_per_wall` is seconds of audio that one process scores in a second; `bytes_per_result` what a result takes of
    the database's disk, with its job.
    """

    audio_per_wall: float | None
    bytes_per_result: float | None
    peak_rss_kib: int | None


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Settings that bound a night: processes of one worker, cores of one process, and the queue's cap."""

    n_processes: int
    cores_a_process: int
    queue_cap: int
    is_sqlite: bool


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a night needs; None: unknown, since nothing was measured."""

    n_notes: int
    n_processes: int | None
    n_workers: int | None
    n_cores: int | None
    memory_bytes: int | None
    night_bytes: float | None
    queue_bytes: int
    notes_per_s: float
    limits: tuple[str, ...]


def size(demand: Demand, measured: Measured, setup: Setup) -> Need:
    """Work out what a night needs.

    >>> need = size(
    ...     Demand(hours=1000, window_s=6 * 3600, note_s=15),
    ...     Measured(audio_per_wall=20.0, bytes_per_result=4_000, peak_rss_kib=500_000),
    ...     Setup(n_processes=4, cores_a_process=1, queue_cap=1000, is_sqlite=False),
    ... )
    >>> need.n_notes, need.n_processes, need.n_workers, need.n_cores
    (240000, 11, 3, 11)
    >>> need.night_bytes
    960000000
    """
    speed = measured.audio_per_wall
    n_processes = None if speed is None else ceil(demand.hours * 3600 / (demand.window_s * speed * BUSY_SHARE))
    per_s = demand.n_notes / demand.window_s
    memory_bytes = None
    if n_processes is not None and measured.peak_rss_kib is not None:
        memory_bytes = n_processes * measured.peak_rss_kib * 1024
    return Need(
        n_notes=demand.n_notes,
        n_processes=n_processes,
        n_workers=None if n_processes is None else ceil(n_processes / setup.n_processes),
        n_cores=None if n_processes is None else n_processes * setup.cores_a_process,
        memory_bytes=memory_bytes,
        night_bytes=None if measured.bytes_per_result is None else demand.n_notes * measured.bytes_per_result,
        # Nightly work has a cap of its own, and uploads and bulk have theirs.
        queue_bytes=3 * setup.queue_cap * REDIS_MESSAGE_BYTES,
        notes_per_s=per_s,
        limits=tuple(_list_limits(per_s, n_processes, setup)),
    )


def _list_limits(per_s: float, n_processes: int | None, setup: Setup) -> list[str]:
    limits = []
    refilled_per_s = setup.queue_cap * REFILLS_PER_S
    if per_s > refilled_per_s:
        limits.append(
            f"the scheduler publishes at most {refilled_per_s:.0f} recordings a second (TONALOG_QUEUE_CAP "
            f"{setup.queue_cap}): set TONALOG_QUEUE_CAP to {ceil(per_s / REFILLS_PER_S / BUSY_SHARE)} or more"
        )
    if per_s > PUBLISHED_PER_S:
        limits.append(
            f"one scheduler publishes about {PUBLISHED_PER_S} recordings a second: share the recordings out over several "
            "installations, each with a database and a queue of its own"
        )
    if n_processes is not None and setup.is_sqlite and n_processes > setup.n_processes:
        limits.append("SQLite serves the workers of one machine: set TONALOG_DATABASE_URL to a PostgreSQL for more")
    if n_processes is not None and not setup.is_sqlite and n_processes > WORKER_CONNECTIONS:
        limits.append(
            f"roles.sql allows workers {WORKER_CONNECTIONS} connections: raise max_connections and "
            f"ALTER ROLE tonalog_worker CONNECTION LIMIT {n_processes + 10}"
        )
    return limits
