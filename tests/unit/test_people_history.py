"""History does not rewrite itself: late notes, imports in any order, and corrections; also run on PostgreSQL in tests/integration."""

from collections import Counter
from datetime import timedelta

import numpy as np
import pytest
from db_samples import count, new_sqlite, take
from people_samples import (
    FIRST,
    a_scored,
    add_model,
    add_notes,
    correct,
    everything,
    make_scores,
    n_notes_behind,
    register,
    score,
)
from sqlalchemy import select

from db import ledger
from db.people_notes import read_person
from db.people_rows import read_baseline, read_baseline_by_id, read_relative
from db.reasons import Reason
from db.schema import jobs
from people import refresh


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_uploads_changes_nothing(tmp_path, seed):
    scores = make_scores(14)
    times = [FIRST + timedelta(days=place) for place in range(14)]
    kept = []
    for order in (range(14), np.random.default_rng(seed).permutation(14)):
        folder = tmp_path / str(len(kept))
        folder.mkdir()
        engine = new_sqlite(folder)
        model = add_model(engine)
        for place in order:
            (recording_id,) = register(engine, "anna", [times[place]])
            score(engine, model, {recording_id: a_scored(scores[place])})
        refresh(engine)
        found = {note.recording_id: note.at for note in read_person(engine, "default", "anna").notes}
        relative = {found[one.recording_id]: one.scores for one in read_relative(engine, list(found)).values()}
        kept.append((relative, read_baseline(engine, "default", "anna", model_id=1).offset_values))

    assert kept[0] == kept[1]


def test_a_note_that_comes_late_and_lies_earlier_changes_nothing_that_is_there(engine):
    model = add_model(engine)
    ids = add_notes(engine, model, "anna", make_scores(11))
    refresh(engine)
    before = everything(engine)

    (late,) = add_notes(engine, model, "anna", make_scores(1, seed=5), start=FIRST + timedelta(days=7, hours=1))
    (first,) = add_notes(engine, model, "anna", make_scores(1, seed=6), start=FIRST - timedelta(days=1))
    refresh(engine)

    after = everything(engine)
    assert after["subject_baselines"] == before["subject_baselines"]
    assert [row for row in after["relative_results"] if row["recording_id"] in ids] == before["relative_results"]
    assert n_notes_behind(engine, [late, first]) == [5, 0]
    assert read_relative(engine, [first])[first].scores is None


@pytest.mark.parametrize("seed", range(3))
def test_the_order_in_which_an_import_is_scored_changes_nothing(tmp_path, seed):
    """A refresh falls in between: what lies behind a note that is still to be scored waits for it."""
    made = make_scores(14)
    kept = []
    for order in (range(14), np.random.default_rng(seed).permutation(14)):
        folder = tmp_path / str(len(kept))
        folder.mkdir()
        engine = new_sqlite(folder)
        model = add_model(engine)
        ids = register(engine, "anna", [FIRST + timedelta(days=place) for place in range(14)])
        for place in order:
            score(engine, model, {ids[place]: a_scored(made[place])})
            refresh(engine)
        rows = everything(engine)
        kept.append((rows["relative_results"], [row["offset_values"] for row in rows["subject_baselines"]]))

    assert kept[0] == kept[1]


def test_a_late_note_that_is_still_to_be_scored_retires_nothing(engine):
    model = add_model(engine)
    ids = add_notes(engine, model, "anna", make_scores(11))
    refresh(engine)
    before = everything(engine)
    (late,) = register(engine, "anna", [FIRST + timedelta(hours=1)])
    score(engine, model, {})  # makes its job and does not end it

    refresh(engine)

    after = everything(engine)
    assert after["subject_baselines"] == before["subject_baselines"]
    assert after["relative_results"] == before["relative_results"]
    add_notes(engine, model, "anna", make_scores(1, seed=3), start=FIRST + timedelta(days=20))
    refresh(engine)
    assert count(engine, "relative_results") == 11  # the new one waits for the late one
    with engine.connect() as connection:
        (job_id,) = connection.scalars(select(jobs.c.id).where(jobs.c.recording_id == late))
    ledger.fail_dead(engine, take(engine, job_id), Reason.NOT_AUDIO, detail="x")
    refresh(engine)
    assert count(engine, "relative_results") == 12
    assert n_notes_behind(engine, ids)[-1] == 10


def test_a_note_without_a_job_holds_up_no_other(engine):
    model = add_model(engine)
    add_notes(engine, model, "anna", make_scores(3))
    register(engine, "anna", [FIRST - timedelta(days=1)])

    refresh(engine)

    assert count(engine, "relative_results") == 3


def test_a_note_that_leaves_retires_the_baselines_that_it_is_behind(engine):
    model = add_model(engine)
    ids = add_notes(engine, model, "anna", make_scores(12))
    refresh(engine)
    old = {row["n_notes"]: row["id"] for row in everything(engine)["subject_baselines"]}

    correct(engine, ids[3], subject="ben")
    refresh(engine)

    rows = everything(engine)["subject_baselines"]
    assert Counter((row["n_notes"], row["subject"], row["retired_at"] is None) for row in rows) == Counter(
        [
            (1, "anna", True),
            (3, "anna", True),
            (5, "anna", False),
            (5, "anna", True),
            (10, "anna", False),
            (10, "anna", True),
            (1, "ben", True),
        ]
    )
    left = [one for one in ids if one != ids[3]]
    used = [read_relative(engine, left)[one].baseline_id for one in left]
    assert all(baseline_id not in (old[5], old[10]) for baseline_id in used)
    assert n_notes_behind(engine, left) == [0, 1, 1, 3, 3, 5, 5, 5, 5, 5, 10]
    assert n_notes_behind(engine, [ids[3]]) == [0]
    assert read_baseline_by_id(engine, old[10]).retired_at is not None


def test_a_note_that_is_nobodys_any_more_has_no_relative_scores(engine):
    ids = add_notes(engine, add_model(engine), "anna", make_scores(12))
    refresh(engine)

    for one in (ids[0], ids[7]):
        correct(engine, one, subject=None)
    refresh(engine)

    assert set(read_relative(engine, ids)) == set(ids) - {ids[0], ids[7]}


def test_a_corrected_note_that_has_to_wait_has_no_relative_scores_meanwhile(engine):
    model = add_model(engine)
    ids = add_notes(engine, model, "anna", make_scores(12))
    refresh(engine)
    register(engine, "ben", [FIRST - timedelta(days=9)])
    score(engine, model, {})  # makes its job and does not end it

    correct(engine, ids[11], subject="ben")
    refresh(engine)

    assert set(read_relative(engine, ids)) == set(ids[:11])


def test_a_note_whose_time_is_corrected_is_judged_anew(engine):
    model = add_model(engine)
    ids = add_notes(engine, model, "anna", make_scores(12))
    refresh(engine)

    correct(engine, ids[0], recorded_at=FIRST + timedelta(days=40))
    refresh(engine)

    assert n_notes_behind(engine, ids) == [10, 0, 1, 1, 3, 3, 5, 5, 5, 5, 5, 10]
