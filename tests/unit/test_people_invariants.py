"""Whatever happens to notes in whatever order, what is kept of people holds together; also run on PostgreSQL in tests/integration."""

from contextlib import suppress
from datetime import timedelta

import numpy as np
import pytest
from db_samples import new_sqlite, silence, upgrade_to
from people_samples import FIRST, a_scored, add_model, correct, everything, make_scores, register, score
from sqlalchemy import insert, select

from db import erasures, migrate, people
from db.engine import make_engine
from db.erasures import Chosen
from db.errors import NameConflict
from db.people_marks import count_marked, list_marked
from db.people_schema import baseline_notes, relative_results, subject_baselines, subject_days
from db.reasons import ErasureScope, RecordingState
from db.schema import recordings, results
from people import refresh

NAMES = ("anna", "ben", "cleo")
N_STEPS = 40


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


class Life:
    """What may happen to the notes of three people, drawn at random."""

    def __init__(self, engine, seed):
        self.engine, self.rng, self.model = engine, np.random.default_rng(seed), add_model(engine)
        self.n_times = 0

    def live(self):
        c = recordings.c
        wanted = select(c.id, c.subject).where(c.state == RecordingState.LIVE, c.subject.is_not(None)).order_by(c.id)
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(wanted)]

    def new_time(self):
        self.n_times += 1  # no two notes at the same time
        return FIRST + timedelta(days=int(self.rng.integers(60)), seconds=self.n_times)

    def step(self):
        act = self.rng.choice(["add", "late", "score", "move", "time", "rename", "erase", "refresh"], p=WEIGHTS)
        notes = self.live()
        if act == "add" or not notes:
            subject = str(self.rng.choice(NAMES))
            ids = register(self.engine, subject, [self.new_time() for _ in range(4)], prefix=f"{subject}{self.n_times}")
            score(
                self.engine, self.model, dict(zip(ids, map(a_scored, make_scores(4, seed=self.n_times)), strict=True))
            )
        elif act == "late":  # registered, and not scored for long
            register(self.engine, str(self.rng.choice(NAMES)), [self.new_time()], prefix=f"late{self.n_times}")
        elif act == "refresh":
            refresh(self.engine)
        elif act != "score":
            with suppress(LookupError, NameConflict):  # a former name may mean the same person, or another one
                self.change(act, *notes[self.rng.integers(len(notes))])

    def change(self, act, recording_id, subject):
        other = str(self.rng.choice([name for name in NAMES if name != subject]))
        if act == "move":
            correct(self.engine, recording_id, subject=other)
        elif act == "time":
            correct(self.engine, recording_id, recorded_at=self.new_time())
        elif act == "erase":
            one = Chosen(recording_id=recording_id) if self.rng.random() < 0.7 else Chosen(subject=subject)
            erasures.begin(self.engine, one, scope=ErasureScope.ALL)
        elif other in {name for _, name in self.live()}:
            people.merge(self.engine, [subject], other)
        else:
            people.rename(self.engine, subject, other)


WEIGHTS = (0.3, 0.05, 0.0, 0.15, 0.1, 0.1, 0.1, 0.2)


def order_of(engine):
    """Whose note each live one is, and its place in time."""
    with engine.connect() as connection:
        rows = connection.execute(select(recordings).where(recordings.c.state == RecordingState.LIVE))
        return {row.id: (row.subject, (row.recorded_at or row.uploaded_at, row.id)) for row in rows}


def rows_of(engine, table):
    with engine.connect() as connection:
        return connection.execute(select(table)).all()


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 6))])
def test_what_is_kept_holds_together_whatever_happens(engine, seed):
    life = Life(engine, seed)
    for _ in range(N_STEPS):
        life.step()
    heard = {row.recording_id for row in rows_of(engine, results)}
    score(engine, life.model, {one: silence() for one in order_of(engine) if one not in heard})  # else later ones wait

    assert refresh(engine).n_failed == 0

    notes, baselines = order_of(engine), {row.id: row for row in rows_of(engine, subject_baselines)}
    behind = {}
    for row in rows_of(engine, baseline_notes):
        behind.setdefault(row.baseline_id, []).append(row.recording_id)
    good = {one: row for one, row in baselines.items() if row.retired_at is None}
    for one, row in good.items():
        assert len(behind[one]) == row.n_notes
        assert {notes[recording_id][0] for recording_id in behind[one]} == {row.subject}
    judged = {row.recording_id: row.baseline_id for row in rows_of(engine, relative_results)}
    for recording_id, baseline_id in judged.items():
        if baseline_id is not None:
            assert baseline_id in good
            assert good[baseline_id].subject == notes[recording_id][0]
            assert all(notes[one][1] < notes[recording_id][1] for one in behind[baseline_id])
    scored = {row.recording_id for row in rows_of(engine, results) if row.status == "SCORED"}
    assert set(judged) <= scored
    assert set(judged) == {one for one, (subject, _) in notes.items() if one in scored and subject is not None}
    days = {(row.subject, row.day) for row in rows_of(engine, subject_days)}
    assert {subject for subject, _ in days} <= {subject for subject, _ in notes.values()}
    assert sum(row.n_scored for row in rows_of(engine, subject_days)) == len(judged)
    kept = everything(engine, but=())
    assert (count_marked(engine), refresh(engine).n_people) == (0, 0)
    assert everything(engine, but=()) == kept


def test_an_upgrade_marks_everybody_once(empty_url):
    engine = make_engine(empty_url)
    upgrade_to(engine, "0010")
    row = {"store": "local", "bucket": "notes", "version_tag": "v1", "size_bytes": 1, "subject_source": "key"}
    row |= {"recorded_at_source": "key", "uploaded_at": FIRST, "registered_at": FIRST}
    states = [("anna", "LIVE"), ("anna", "LIVE"), ("ben", "LIVE"), ("cleo", "ERASED"), (None, "LIVE")]
    with engine.begin() as connection:
        found = [
            row | {"key": str(place), "subject": name, "state": state} for place, (name, state) in enumerate(states)
        ]
        connection.execute(insert(recordings), found)

    migrate.upgrade(engine)

    assert sorted(list_marked(engine, limit=9)) == [("default", "anna"), ("default", "ben")]


@pytest.fixture
def empty_url(tmp_path):
    return f"sqlite:///{tmp_path / 'empty.db'}"
