"""How much of what readers see under the active model another one has scored."""

from dataclasses import dataclass
from typing import Self

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, select

from db.people_schema import subject_days, subject_marks
from db.reasons import OF_THE_RECORDING, JobState, RecordingState
from db.schema import jobs, recordings, results

_ENDED = (JobState.DEAD, JobState.CANCELLED)


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Live recordings that one model has a result of, by how far they have come under another.

    Attributes:
        n_results: all of them.
        n_covered: the other has a result too, or no model can give one, for a reason of the recording's own.
        n_without_job: nobody has asked for it.
        n_open: their jobs are waiting or running.
        n_dead: their jobs ended for another reason, and may be retried.
        n_people_waiting: who has days under the one and none under the other, because they are still to be made.
    """

    n_results: int
    n_covered: int
    n_without_job: int = 0
    n_open: int = 0
    n_dead: int = 0
    n_people_waiting: int = 0

    @property
    def n_missing(self) -> int:
        """Recordings that readers would lose."""
        return self.n_results - self.n_covered

    @property
    def share(self) -> float:
        """In [0, 1]; 1 where there is nothing to cover.

        >>> Coverage(n_results=8, n_covered=6).share
        0.75
        """
        return self.n_covered / self.n_results if self.n_results else 1.0

    def __add__(self, other: Self) -> "Coverage":
        """Count both together.

        >>> (Coverage(n_results=8, n_covered=6) + Coverage(n_results=2, n_covered=2)).n_missing
        2
        """
        return Coverage(**{name: getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__})

    def describe(self) -> str:
        """Say it in words; 100 % is said of everything only.

        >>> Coverage(n_results=1000000, n_covered=999999, n_open=1).describe()
        '999999 of 1000000 recordings (99.99 %); 1 have none under it (1 in work)'
        """
        percent = "100" if not self.n_missing else f"{int(self.share * 10_000) / 100:g}"
        line = f"{self.n_covered} of {self.n_results} recordings ({percent} %)"
        parts = [
            f"{n} {words}"
            for n, words in (
                (self.n_without_job, "without a job"),
                (self.n_open, "in work"),
                (self.n_dead, "dead, see `tonalog dead` and `tonalog retry`"),
            )
            if n
        ]
        return f"{line}; {self.n_missing} have none under it ({', '.join(parts)})" if parts else line


def count_coverage(
    connection: Connection, *, old_id: int, new_id: int, among: ColumnElement[bool] | None = None
) -> Coverage:
    """Count what a model has of what another has, by the state of now.

    Args:
        connection: an open transaction.
        old_id: whose results count as the whole.
        new_id: that is to have them too.
        among: a condition on `recordings`, with which nobody's days are asked for; None: all live ones.
    """
    n = _count_by_progress(connection, old_id=old_id, new_id=new_id, among=among)
    return Coverage(
        n_results=sum(n.values()),
        n_covered=n.get("handled", 0),
        n_without_job=n.get("none", 0),
        n_open=n.get("open", 0),
        n_dead=n.get("dead", 0),
        n_people_waiting=len(list_people_waiting(connection, old_id=old_id, new_id=new_id)) if among is None else 0,
    )


def _count_by_progress(
    connection: Connection, *, old_id: int, new_id: int, among: ColumnElement[bool] | None
) -> dict[str, int]:
    new = results.alias()
    has_new = exists().where(new.c.recording_id == recordings.c.id, new.c.model_id == new_id)
    is_of_the_recording = and_(jobs.c.state.in_(_ENDED), jobs.c.reason.in_(OF_THE_RECORDING))
    kind = case(
        (has_new, "handled"),
        (jobs.c.id.is_(None), "none"),
        (is_of_the_recording, "handled"),
        (jobs.c.state.in_(_ENDED), "dead"),
        else_="open",
    ).label("kind")
    of_old = and_(results.c.recording_id == recordings.c.id, results.c.model_id == old_id)
    of_new = and_(jobs.c.recording_id == recordings.c.id, jobs.c.model_id == new_id)
    sources = recordings.join(results, of_old).outerjoin(jobs, of_new)
    chosen = [recordings.c.state == RecordingState.LIVE, *([] if among is None else [among])]
    each = select(kind).select_from(sources).where(*chosen).subquery()
    statement = select(each.c.kind, func.count()).group_by(each.c.kind)
    return {row[0]: row[1] for row in connection.execute(statement)}


def list_people_waiting(connection: Connection, *, old_id: int, new_id: int) -> list[tuple[str, str]]:
    """List tenant and subject of those who have days under one model and none under another, which are still to be made."""
    old, new = subject_days, subject_days.alias()
    c = old.c
    has_new = exists().where(new.c.tenant == c.tenant, new.c.subject == c.subject, new.c.model_id == new_id)
    # Whoever is not marked has been made, and has no note that the other one was to score.
    is_marked = exists().where(subject_marks.c.tenant == c.tenant, subject_marks.c.subject == c.subject)
    wanted = select(c.tenant, c.subject).where(c.model_id == old_id, ~has_new, is_marked).distinct()
    return [(row.tenant, row.subject) for row in connection.execute(wanted)]
