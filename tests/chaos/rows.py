"""The rows that a chaos run leaves behind, and what its driver expected of them; reads, never judges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Engine, select

from db.engine import reading
from db.schema import EMOTIONS, attempts, jobs, recordings, results, segments

TERMINAL = ("DONE", "DEAD", "CANCELLED")


@dataclass(frozen=True, kw_only=True)
class Expected:
    """How the job of one object version may end.

    `ends` holds "DONE", or state and reason as in "DEAD:MEMORY", or ABSENT where the version need not be known at all.
    `scores` are those of an undisturbed run. An innocent version is one that nobody poisoned, cut or took away.
    """

    ends: frozenset[str]
    is_innocent: bool = False
    scores: Mapping[str, float] | None = None


ABSENT = "ABSENT"


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A row of `recordings`."""

    id: int
    key: str
    version_tag: str
    state: str


@dataclass(frozen=True, kw_only=True)
class Job:
    """A row of `jobs`."""

    id: int
    recording_id: int
    model_id: int
    state: str
    attempts: int
    lost_count: int
    lease_token: str | None
    reason: str | None

    @property
    def end(self) -> str:
        """State, and the reason where there is one."""
        return self.state if self.reason is None or self.state == "DONE" else f"{self.state}:{self.reason}"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A row of `attempts`."""

    job_id: int
    n: int
    token: str
    outcome: str | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Result:
    """A row of `results`."""

    recording_id: int
    model_id: int
    token: str
    n_windows: int
    audio_sha256: str | None
    scores: Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True)
class History:
    """Everything that the checks look at.

    `segments` holds (recording_id, model_id) once for each stored segment, `expected` is keyed by (key, version_tag),
    `erased` holds the ids of recordings and `erased_keys` the keys that were erased.
    """

    recordings: tuple[Recording, ...] = ()
    jobs: tuple[Job, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    results: tuple[Result, ...] = ()
    segments: tuple[tuple[int, int], ...] = ()
    expected: Mapping[tuple[str, str], Expected] = field(default_factory=dict)
    erased: frozenset[int] = frozenset()
    erased_keys: frozenset[str] = frozenset()


def read_history(
    engine: Engine,
    *,
    expected: Mapping[tuple[str, str], Expected],
    erased: frozenset[int],
    erased_keys: frozenset[str],
) -> History:
    """Read the whole ledger in one transaction."""
    with reading(engine) as connection:

        def rows_of(table, row_type):  # type: ignore[no-untyped-def]
            names = [name for name in row_type.__dataclass_fields__ if name in table.c]
            found = connection.execute(select(*(table.c[name] for name in names)))
            return tuple(row_type(**row._asdict()) for row in found)

        scored = [results.c[name] for name in Result.__dataclass_fields__ if name != "scores"]
        found = connection.execute(select(*scored, *(results.c[name] for name in EMOTIONS))).mappings()
        return History(
            recordings=rows_of(recordings, Recording),
            jobs=rows_of(jobs, Job),
            attempts=rows_of(attempts, Attempt),
            results=tuple(_as_result(dict(row)) for row in found),
            segments=tuple(map(tuple, connection.execute(select(segments.c.recording_id, segments.c.model_id)))),
            expected=expected,
            erased=erased,
            erased_keys=erased_keys,
        )


def _as_result(row: dict) -> Result:  # type: ignore[type-arg]
    scores = {name: row.pop(name) for name in EMOTIONS}
    return Result(**row, scores=scores)
