"""Renames, merges, erasures and activations take along what is kept of people; also run on PostgreSQL in tests/integration."""

from datetime import timedelta

import pytest
from db_samples import a_model, count, new_sqlite
from people_samples import (
    FIRST,
    a_scored,
    add_model,
    add_notes,
    correct,
    everything,
    make_scores,
    n_notes_behind,
    score,
)
from sqlalchemy import select

from db import erasures, models, people, subject_keys
from db.erasures import Chosen
from db.people_marks import count_marked
from db.people_rows import read_baseline, read_days, read_relative, read_trends
from db.people_schema import baseline_notes, relative_results, subject_baselines, subject_marks
from db.reasons import ErasureScope
from people import refresh

ALL = ErasureScope.ALL
NAMED = ("subject_baselines", "baseline_notes", "relative_results", "subject_days", "subject_trends", "subject_marks")


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def test_a_rename_moves_all_and_rewrites_nothing(engine):
    ids = add_notes(engine, add_model(engine), "anna", make_scores(12))
    refresh(engine)
    before = everything(engine)

    people.rename(engine, "anna", "zoe")
    refresh(engine)

    after = everything(engine)
    assert len(read_days(engine, "default", "zoe")) == 12
    assert after["relative_results"] == before["relative_results"]
    for table in ("subject_baselines", "subject_days", "subject_trends"):
        assert after[table] == [{**row, "subject": "zoe"} for row in before[table]]
    assert n_notes_behind(engine, ids)[-1] == 10


def test_a_rename_to_the_name_of_somebody_who_has_just_gone_is_clean(engine):
    model = add_model(engine)
    add_notes(engine, model, "anna", make_scores(2))
    add_notes(engine, model, "ben", make_scores(2, seed=1))
    refresh(engine)
    people.merge(engine, ["ben"], "anna")

    people.rename(engine, "anna", "ben")
    refresh(engine)

    assert {row["subject"] for row in everything(engine)["subject_days"]} == {"ben"}


def test_people_who_are_merged_are_judged_as_one(engine):
    model = add_model(engine)
    ids = add_notes(engine, model, "anna", make_scores(6))
    others = add_notes(engine, model, "ben", make_scores(6, seed=1))
    refresh(engine)
    before = [read_relative(engine, ids)[one] for one in ids]

    people.merge(engine, ["ben"], "anna")
    refresh(engine)

    assert read_days(engine, "default", "ben") == []
    assert read_baseline(engine, "default", "ben", model_id=model.id) is None
    assert {row["subject"] for row in everything(engine)["subject_baselines"]} == {"anna"}
    assert read_baseline(engine, "default", "anna", model_id=model.id).n_notes == 10
    assert [read_relative(engine, ids)[one] for one in ids] == before
    # Each of the others lies just behind the first person's note of the same time; 10 notes lie before the last one.
    assert n_notes_behind(engine, others) == [1, 1, 3, 3, 5, 10]


def test_an_erasure_leaves_nothing_of_a_person(engine):
    model = add_model(engine)
    add_notes(engine, model, "canary", make_scores(12))
    add_notes(engine, model, "ben", make_scores(2))
    refresh(engine)
    people.rename(engine, "canary", "canary-2")

    erasures.begin(engine, Chosen(subject="canary-2"), scope=ALL)

    of_ben = {"subject_baselines": 1, "baseline_notes": 1, "relative_results": 2, "subject_days": 2}
    assert {name: count(engine, name) for name in NAMED} == of_ben | {"subject_trends": 4, "subject_marks": 0}
    assert not any("canary" in str(row) for rows in everything(engine).values() for row in rows)
    refresh(engine)
    assert {name: count(engine, name) for name in NAMED} == of_ben | {"subject_trends": 4, "subject_marks": 0}


def test_an_erased_note_is_behind_nothing_at_once_and_the_rest_is_made_anew(engine):
    ids = add_notes(engine, add_model(engine), "anna", make_scores(12))
    refresh(engine)

    erasures.begin(engine, Chosen(recording_id=ids[3]), scope=ALL)

    with engine.connect() as connection:
        assert ids[3] not in set(connection.scalars(select(baseline_notes.c.recording_id)))
        assert set(connection.scalars(select(subject_baselines.c.n_notes))) == {1, 3}
        assert ids[3] not in set(connection.scalars(select(relative_results.c.recording_id)))
    assert len(read_days(engine, "default", "anna")) == 11
    assert read_trends(engine, "default", "anna") == []
    refresh(engine)
    left = [one for one in ids if one != ids[3]]
    assert n_notes_behind(engine, left) == [0, 1, 1, 3, 3, 5, 5, 5, 5, 5, 10]
    assert len(read_trends(engine, "default", "anna")) == 4


def test_an_erased_note_is_behind_no_retired_baseline_of_somebody_who_had_it_before(engine):
    model = add_model(engine)
    ids = add_notes(engine, model, "anna", make_scores(6))
    refresh(engine)
    correct(engine, ids[1], subject="ben")
    refresh(engine)

    erasures.begin(engine, Chosen(subject="ben"), scope=ALL)

    with engine.connect() as connection:
        assert ids[1] not in set(connection.scalars(select(baseline_notes.c.recording_id)))
    refresh(engine)
    assert n_notes_behind(engine, [one for one in ids if one != ids[1]]) == [0, 1, 1, 3, 3]


def test_removed_audio_takes_nothing_of_what_is_kept(engine):
    add_notes(engine, add_model(engine), "anna", make_scores(6))
    refresh(engine)
    before = everything(engine)

    erasures.begin(engine, Chosen(subject="anna"), scope=ErasureScope.AUDIO)
    refresh(engine)

    assert everything(engine) == before


def test_whoever_has_notes_is_marked_when_a_model_is_activated(engine):
    first = add_model(engine)
    ids = add_notes(engine, first, "anna", make_scores(2))
    add_notes(engine, first, "ben", make_scores(2))
    second = models.add_model(engine, a_model("2.0"))
    refresh(engine)

    models.activate(engine, second.id, force=True)

    assert count_marked(engine) == 2
    refresh(engine)
    assert [day.n_pending for day in read_days(engine, "default", "anna")] == [1, 1]
    score(engine, second, dict.fromkeys(ids, a_scored(make_scores(1)[0])))
    refresh(engine)
    assert [day.n_scored for day in read_days(engine, "default", "anna")] == [1, 1]


def test_a_key_for_names_moves_all_and_rewrites_nothing(engine):
    add_notes(engine, add_model(engine), "canary", make_scores(6))
    refresh(engine)
    before = everything(engine)
    add_notes(engine, models.active_model(engine), "canary", make_scores(1), start=FIRST + timedelta(days=9))

    subject_keys.rehash(engine, "fingerprint", store=lambda name: f"hash-of-{len(name)}")

    after = everything(engine)
    assert after["relative_results"] == before["relative_results"]
    assert {row["subject"] for row in after["subject_days"]} == {"hash-of-6"}
    assert "canary" not in {row.subject for row in rows_of_marks(engine)}
    refresh(engine)
    assert [row for row in everything(engine)["subject_baselines"] if row["retired_at"] is not None] == []
    assert len(read_days(engine, "default", "hash-of-6")) == 7


def rows_of_marks(engine):
    with engine.connect() as connection:
        return connection.execute(select(subject_marks)).all()
