"""Reads what sizing needs of a database: how long notes are, what memory a process took, how many results there are."""

from dataclasses import dataclass

from sqlalchemy import Engine, func, select

from db.engine import reading
from db.reasons import Outcome
from db.schema import attempts, results

N_NEWEST = 1_000


@dataclass(frozen=True, kw_only=True)
class NoteFacts:
    """Of the results of the newest 1,000 recordings: how many they are, and how long a recording is; None where there is none.

    `peak_rss_kib` is the most memory that a process had at the end of one of the newest 1,000 attempts.
    """

    n_results: int
    mean_duration_ms: float | None
    peak_rss_kib: int | None


def read_note_facts(engine: Engine) -> NoteFacts:
    """Read the facts; it looks at no more than 1,000 rows of each table."""
    newest = select(results.c.duration_ms).order_by(results.c.recording_id.desc()).limit(N_NEWEST).subquery()
    tried = select(attempts.c.peak_rss_kib).where(attempts.c.outcome == Outcome.DONE)
    latest = tried.order_by(attempts.c.id.desc()).limit(N_NEWEST).subquery()
    with reading(engine) as connection:
        n, mean_ms = connection.execute(select(func.count(), func.avg(newest.c.duration_ms))).one()
        peak = connection.scalar(select(func.max(latest.c.peak_rss_kib)))
    return NoteFacts(n_results=n, mean_duration_ms=None if mean_ms is None else float(mean_ms), peak_rss_kib=peak)
