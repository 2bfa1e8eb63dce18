"""Makes anew what is kept of people whose notes have changed, as far as a budget of time allows.

Two refreshers at once do no harm, and a killed one loses nothing: a person is written whole, with the marks that led to
it deleted, in one transaction that gives up where the marks have changed meanwhile.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from db import Engine
from db.people_marks import list_marked, mark_aged
from db.people_notes import PersonRows, read_person
from db.people_writes import PersonChange, write_person
from db.rows import Model
from people.differences import differing_days, differing_trends, gone_days, gone_trends
from people.own_baselines import Judgement, judge_notes, measure_newest_own
from people.own_days import Days, summarise_days
from people.own_trends import judge_trends
from people.tenants import Tenants
from trends import VOICE_MEASURES, Baseline, Day, TrendSettings, read_baseline

_log = logging.getLogger(__name__)
BATCH_PEOPLE, BATCH_NOTES = 200, 20_000
_NOTHING = Judgement(retired_ids=(), baselines=(), gone_relative=(), relative=(), scores={})


@dataclass(frozen=True, kw_only=True)
class Refreshed:
    """What one call did.

    Attributes:
        n_people: who were written.
        n_failed: who could not be computed; the log has why, and their marks stay.
        is_done: whether nobody was left when it ended but those who failed.
    """

    n_people: int
    n_failed: int
    is_done: bool


def refresh(
    engine: Engine,
    *,
    settings: TrendSettings | None = None,
    budget_s: float | None = None,
    now: datetime | None = None,
) -> Refreshed:
    """Make anew baselines, relative scores, days and trends of everybody who is marked.

    Args:
        engine: the database.
        settings: how trends are judged; by default `TrendSettings()`. `n_measures` follows from each model.
        budget_s: no further person is begun after so many seconds, but one is in any case; None: all are.
        now: the moment that trends are judged as of; None: the database's clock.
    """
    end_s = None if budget_s is None else time.monotonic() + budget_s
    mark_aged(engine)
    work = _Work(engine, settings or TrendSettings())
    n_people = n_tried = 0
    while True:
        names = list_marked(engine, limit=BATCH_PEOPLE, but=work.failed)
        people = _read_batch(engine, names, now=now, until_s=None if end_s is None else (time.monotonic() + end_s) / 2)
        if not people:
            return Refreshed(n_people=n_people, n_failed=len(work.failed), is_done=True)
        for rows in people:
            work.look_ahead(rows)
        for rows in people:
            if n_tried and end_s is not None and time.monotonic() >= end_s:
                return Refreshed(n_people=n_people, n_failed=len(work.failed), is_done=False)
            n_tried += 1
            change = work.compute(rows)
            n_people += change is not None and write_person(engine, change)


def _read_batch(
    engine: Engine, names: Iterable[tuple[str, str]], *, now: datetime | None, until_s: float | None
) -> list[PersonRows]:
    """Read the first of these people, as many as memory and half of the time that is left allow, and one at least."""
    people: list[PersonRows] = []
    n_notes = 0
    for tenant, subject in names:
        rows = read_person(engine, tenant, subject)
        people.append(rows if now is None else replace(rows, now=now))
        n_notes += len(rows.notes)
        if n_notes >= BATCH_NOTES or (until_s is not None and time.monotonic() >= until_s):
            break
    return people


class _Work:
    """Computes people; holds what is the same for many of them, and who could not be computed."""

    def __init__(self, engine: Engine, settings: TrendSettings) -> None:
        self.failed: set[tuple[str, str]] = set()
        self._settings = settings
        self._tenants = Tenants(engine)
        self._sections: dict[int, Baseline | None] = {}

    def look_ahead(self, rows: PersonRows) -> None:
        """Take in what a person's notes say by themselves, so that in an import the first person knows of the last."""
        with self._noting_failure(rows):
            for model in rows.models:
                section = self._section(model)
                own = None if section is None else measure_newest_own(rows, model, section)
                if section is not None and own is not None:
                    self._tenants.note(rows.tenant, rows.subject, model=model, section=section, own=own)

    def compute(self, rows: PersonRows) -> PersonChange | None:
        """Say what differs of one person; None where rows are not as they were written."""
        if (rows.tenant, rows.subject) in self.failed:
            return None
        with self._noting_failure(rows):
            return self._compute(rows)
        return None

    @contextmanager
    def _noting_failure(self, rows: PersonRows) -> Iterator[None]:
        """Log what is wrong with one person's rows and go on, since nobody else is to wait for it."""
        try:
            yield
        except (ValueError, KeyError, ArithmeticError) as error:
            ids = {"mark_id": rows.marks[0].id if rows.marks else None, "error": str(error)}
            _log.warning("person not refreshed", extra=ids)
            self.failed.add((rows.tenant, rows.subject))

    def _compute(self, rows: PersonRows) -> PersonChange:
        heard = {note.model_id for note in rows.notes}
        models = [model for model in rows.models if model.id in heard]
        judged = {model.id: self._judge(rows, model) for model in models}
        days = {model.id: summarise_days(rows, model, relative=judged[model.id].scores) for model in models}
        new_days = [day for found in days.values() for day in found.rows]
        trends = [
            trend
            for model in models
            for trend in judge_trends(rows, model, _by_label(model, days), settings=self._settings)
        ]
        retired = [one for judgement in judged.values() for one in judgement.retired_ids]
        retired += [one.row.id for one in rows.baselines if one.row.model_id not in heard]
        return PersonChange(
            tenant=rows.tenant,
            subject=rows.subject,
            marks=rows.marks,
            retired_ids=tuple(retired),
            baselines=tuple(new for judgement in judged.values() for new in judgement.baselines),
            gone_relative=tuple(key for judgement in judged.values() for key in judgement.gone_relative),
            relative=tuple(new for judgement in judged.values() for new in judgement.relative),
            days=differing_days(rows, new_days),
            gone_days=gone_days(rows, new_days),
            trends=differing_trends(rows, trends),
            gone_trends=gone_trends(rows, trends),
        )

    def _judge(self, rows: PersonRows, model: Model) -> Judgement:
        section = self._section(model)
        return _NOTHING if section is None else judge_notes(rows, model, section, tenants=self._tenants)

    def _section(self, model: Model) -> Baseline | None:
        if model.id not in self._sections:
            self._sections[model.id] = _read_section(model)
        return self._sections[model.id]


def _read_section(model: Model) -> Baseline | None:
    raw = model.manifest.get("baseline")
    return None if raw is None else read_baseline(raw, labels=model.labels)


def _by_label(model: Model, days: Mapping[int, Days]) -> dict[str, list[Day]]:
    """Collect the days of each label and measure of a model, by every model that tells it apart."""
    names = (*model.labels, *(name for name in VOICE_MEASURES if name in days[model.id].by_measure))
    return {name: [day for found in days.values() for day in found.by_measure.get(name, ())] for name in names}
