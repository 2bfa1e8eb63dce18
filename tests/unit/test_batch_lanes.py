"""Batches beside nightly work and uploads: what goes first in every order of events, and what a sweep reads; also on PostgreSQL."""

import random
import re

import pytest
from db_samples import PLENTY, a_recording, a_result, add_active_model, new_sqlite, take
from sqlalchemy import event, select, text, update

from db import batch_plan, batches, jobs, ledger, pump, recordings
from db.batch_plan import Choice
from db.columns import db_now_s
from db.engine import without_transaction
from db.reasons import JobState, Lane
from db.schema import IS_OF_NO_BATCH
from db.schema import jobs as job_table
from tests.unit.test_db_batches import fill_recordings

CAP = 6
N_MANY = 8_000
WHOLE_TABLE = re.compile(r"SCAN (?:TABLE )?jobs|Seq Scan on jobs")
SORTED = re.compile(r"USE TEMP B-TREE|Sort Key")
OF_BATCHES, OF_NONE = "ix_jobs_batch_id_state_next_run_at_s", "ix_jobs_of_no_batch"
OF_LANES = "ix_jobs_state_lane_next_run_at_s"
FIRST = (Lane.INTERACTIVE, Lane.NIGHTLY)


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def jobs_in(engine, *, states, lanes, but=()):
    chosen = select(job_table.c.id).where(
        job_table.c.state.in_(states), job_table.c.lane.in_(lanes), job_table.c.next_run_at_s <= db_now_s()
    )
    with engine.connect() as connection:
        return set(connection.scalars(chosen)) - set(but)


class Events:
    """A database to which things happen at random: notes arrive, batches are made and held up, workers finish."""

    def __init__(self, engine, seed):
        self.engine = engine
        self.rng = random.Random(seed)
        self.model = add_active_model(engine)
        self.batches = []
        self.n_notes = 0

    def step(self):
        self.rng.choice(
            [self.add_notes, self.add_batch, self.hold_up, self.finish, self.finish, self.pump, self.pump]
        )()

    def add_notes(self):
        lane = self.rng.choice([Lane.NIGHTLY, Lane.INTERACTIVE])
        self._register(self.rng.randint(1, 4))
        jobs.create_jobs(self.engine, self.model.id, lane=lane)

    def add_batch(self):
        self._register(self.rng.randint(1, 10))
        rate = self.rng.choice([None, None, 7_200])
        self.batches.append(batch_plan.begin(self.engine, Choice(model_id=self.model.id), rate_per_h=rate))
        batch_plan.plan_all(self.engine, self.batches[-1])

    def hold_up(self):
        if self.batches:
            change = self.rng.choice([batches.pause, batches.resume, batches.resume])
            change(self.engine, self.rng.choice(self.batches))

    def finish(self):
        queued = sorted(jobs_in(self.engine, states=[JobState.QUEUED], lanes=list(Lane)))
        if queued and (claim := ledger.claim(self.engine, self.rng.choice(queued), worker="w", lease_s=60.0)):
            ledger.finish(self.engine, claim, a_result())

    def pump(self):
        """Pump, and hold what no order of events may change."""
        due_first = jobs_in(self.engine, states=[JobState.PENDING], lanes=FIRST)
        nightly = jobs_in(self.engine, states=[JobState.PENDING, JobState.QUEUED], lanes=[Lane.NIGHTLY])
        was_queued = jobs_in(self.engine, states=[JobState.QUEUED], lanes=list(Lane))

        published = pump.due_jobs(self.engine, cap_outstanding=CAP, limit=PLENTY)

        lanes = [lane for _, lane in published]
        new_bulk = [job_id for job_id, lane in published if lane is Lane.BULK and job_id not in was_queued]
        assert not (nightly and new_bulk), "bulk work was published while nightly work waits"
        n_first = sum(lane in FIRST for lane in lanes)
        assert all(lane in FIRST for lane in lanes[:n_first]), "something went before uploads and nightly work"
        left = jobs_in(self.engine, states=[JobState.PENDING], lanes=FIRST)
        assert not left or n_first > 0 or len(was_queued) >= CAP, "nightly work was left although there was room"
        assert {job_id for job_id, lane in published if lane in FIRST} <= due_first

    def _register(self, n):
        new = [a_recording(f"{self.n_notes + i}.wav") for i in range(n)]
        self.n_notes += n
        recordings.register(self.engine, new)


@pytest.mark.parametrize("seed", range(2))
def test_nightly_work_and_uploads_go_before_batches_in_every_order_of_events(engine, seed):
    events = Events(engine, seed)
    for _ in range(50):
        events.step()
    events.pump()
    for batch_id in events.batches:
        batches.resume(engine, batch_id)
        batches.set_rate(engine, batch_id, None)
    queued = jobs_in(engine, states=[JobState.QUEUED], lanes=list(Lane))
    while queued:
        for job_id in queued:
            ledger.finish(engine, take(engine, job_id), a_result())
        queued = [job_id for job_id, _ in pump.due_jobs(engine, cap_outstanding=PLENTY, limit=PLENTY)]

    assert jobs_in(engine, states=[JobState.PENDING], lanes=list(Lane)) == set()
    assert events.n_notes > 0


def fill_paused_batch(engine):
    """Make one paused batch of many jobs, and one that goes on, of which a few wait."""
    fill_recordings(engine, N_MANY)
    model = add_active_model(engine)
    paused = batch_plan.begin(engine, Choice(model_id=model.id, limit=N_MANY - 10), is_paused=True)
    batch_plan.plan_all(engine, paused)
    running = batch_plan.begin(engine, Choice(model_id=model.id), rate_per_h=36_000)
    batch_plan.plan_all(engine, running)
    with engine.begin() as connection:  # as half of them would be after some hours
        half = job_table.c.id <= N_MANY // 2
        connection.execute(update(job_table).where(half).values(state="DONE", finished_at=text("CURRENT_TIMESTAMP")))
    if engine.dialect.name == "postgresql":
        with without_transaction(engine) as connection:
            connection.execute(text("ANALYZE"))
    return running


def plans_of(engine, act):
    """The plan of each statement that an action sends and that touches jobs."""
    sent = []

    def note(_connection, _cursor, statement, parameters, _context, _is_many):
        if "jobs" in statement and statement.lstrip().startswith(("SELECT", "UPDATE", "WITH")):
            sent.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    how = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    with engine.connect() as connection:
        found = {}
        for statement, parameters in sent:
            rows = connection.exec_driver_sql(f"{how} {statement}", parameters)
            found[statement] = "\n".join(str(row[-1]) for row in rows)
        return found


def test_a_sweep_reads_nothing_of_a_batch_that_is_paused_and_closing_one_reads_its_own_jobs(engine):
    running = fill_paused_batch(engine)

    sweep = plans_of(engine, lambda: pump.due_jobs(engine, cap_outstanding=1_000, limit=1_000))
    close = plans_of(engine, lambda: batches.close_if_ended(engine, running))
    scan = plans_of(engine, lambda: count_dead(engine))

    assert len(sweep) >= 8
    assert close
    assert [statement for statement, plan in {**sweep, **close}.items() if WHOLE_TABLE.search(plan)] == []
    assert {index for index in (OF_BATCHES, OF_NONE) if any(index in plan for plan in sweep.values())} == {
        OF_BATCHES,
        OF_NONE,
    }
    of_no_batch = [plan for statement, plan in sweep.items() if IS_OF_NO_BATCH in statement]
    assert [plan for plan in of_no_batch if OF_LANES in plan] == []
    assert any(WHOLE_TABLE.search(plan) for plan in scan.values()), "a whole scan is not seen as one"


def test_a_pump_reads_what_is_due_in_the_order_of_an_index_and_sorts_nothing(engine):
    fill_paused_batch(engine)
    with engine.begin() as connection:
        of_night = update(job_table).where(job_table.c.id > 10).values(lane=Lane.NIGHTLY, batch_id=None)
        connection.execute(of_night)
    with without_transaction(engine) as connection:
        connection.execute(text("ANALYZE"))

    sent = plans_of(engine, lambda: pump.due_jobs(engine, cap_outstanding=100, limit=100))

    choosing = [plan for statement, plan in sent.items() if "ORDER BY jobs.next_run_at_s" in statement]
    assert choosing
    assert [plan for plan in choosing if SORTED.search(plan)] == []
    if engine.dialect.name == "postgresql":
        assert all(re.search(r"Index Cond: .*next_run_at_s <= ", plan) for plan in choosing)


def count_dead(engine):
    with engine.connect() as connection:
        connection.execute(text("SELECT count(*) FROM jobs WHERE reason = 'x'"))
