"""What is kept of a person follows from the notes, and does not rewrite itself; also run on PostgreSQL in tests/integration."""

from datetime import timedelta

import pytest
from db_samples import a_recording, count, new_sqlite, silence
from people_samples import (
    FIRST,
    SECTION,
    a_scored,
    add_model,
    add_notes,
    correct,
    everything,
    make_scores,
    mark,
    n_notes_behind,
    register,
    score,
)

from db import recordings
from db.people_marks import count_marked
from db.people_notes import read_person
from db.people_rows import read_baseline, read_days, read_relative, read_trends
from db.reasons import BaselineState, TrendState
from people import BASELINE_STEPS, refresh
from trends import TrendState as JudgedState
from trends import collect_notes, measure_offset, relate_scores
from trends.personal import BaselineState as JudgedBaseline


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def test_the_words_of_rows_are_those_of_the_arithmetic():
    assert {word.value for word in TrendState} == {word.value for word in JudgedState}
    assert {word.value for word in BaselineState} == {word.value for word in JudgedBaseline}


def test_a_note_is_judged_by_the_newest_baseline_of_earlier_notes(engine):
    ids = add_notes(engine, add_model(engine), "anna", make_scores(33))

    refresh(engine)

    expected = [max((step for step in BASELINE_STEPS if step <= place), default=0) for place in range(33)]
    assert n_notes_behind(engine, ids) == expected


def test_relative_scores_are_those_of_the_arithmetic_and_the_judged_note_is_not_behind_them(engine):
    scores = make_scores(12, shift=(1.0, 0.0, -1.0, 0.0))
    ids = add_notes(engine, add_model(engine), "anna", scores)

    refresh(engine)

    rows = [[one[label] for label in SECTION.reference.labels] for one in scores]
    behind = collect_notes(rows[:10], SECTION.rule, n_labels=4)
    expected = relate_scores(rows[11:], measure_offset(behind, SECTION.reference, SECTION.rule), SECTION.rule)[0]
    found = read_relative(engine, ids)[ids[11]]
    assert found.scores == dict(zip(SECTION.reference.labels, expected.tolist(), strict=True))
    assert found.state is BaselineState.PERSONAL
    assert found.confidence == max(expected)
    assert found.is_uncertain == (found.confidence < SECTION.rule.uncertain_below)


def test_too_few_notes_give_state_and_count_and_no_scores(engine):
    ids = add_notes(engine, add_model(engine), "anna", make_scores(6))

    refresh(engine)

    found = read_relative(engine, ids)
    assert [found[one].state.value for one in ids] == ["insufficient"] * 5 + ["personal"]
    assert all((found[one].scores is None) == (place < 5) for place, one in enumerate(ids))
    assert read_baseline(engine, "default", "anna", model_id=1).n_notes == 5


def test_refreshing_twice_is_refreshing_once(engine):
    add_notes(engine, add_model(engine), "anna", make_scores(12))
    first = refresh(engine)
    kept = everything(engine, but=())

    assert (first.n_people, first.is_done) == (1, True)
    assert count_marked(engine) == 0
    assert refresh(engine).n_people == 0
    mark(engine, "anna")
    assert refresh(engine).n_people == 1
    assert everything(engine, but=()) == kept


def test_others_of_the_tenant_are_behind_a_baseline_and_other_tenants_are_not(engine):
    model = add_model(engine)
    for subject in ("anna", "ben", "cleo"):
        add_notes(engine, model, subject, make_scores(6, seed=len(subject), shift=(2.0, 0.0, -2.0, 0.0)))
    add_notes(engine, model, "anna", make_scores(6), tenant="clinic")

    refresh(engine)

    rows = everything(engine)["subject_baselines"]
    assert {(row["tenant"], row["n_persons"]) for row in rows} == {("default", 2), ("clinic", 0)}


def test_each_model_has_baselines_of_its_own(engine):
    first = add_model(engine)
    ids = add_notes(engine, first, "anna", make_scores(6))
    second = add_model(engine, "2.0")
    score(engine, second, {one: a_scored(made) for one, made in zip(ids, make_scores(6, seed=9), strict=True)})

    refresh(engine)

    one, two = (read_baseline(engine, "default", "anna", model_id=model.id) for model in (first, second))
    assert one.own_values != two.own_values
    assert (one.n_notes, two.n_notes) == (5, 5)
    assert read_relative(engine, ids, model_id=first.id)[ids[5]].baseline_id == one.id
    assert read_relative(engine, ids)[ids[5]].baseline_id == two.id


def test_a_model_without_a_baseline_section_has_days_and_trends_only(engine):
    ids = add_notes(engine, add_model(engine, section=None), "anna", make_scores(6))

    assert refresh(engine).n_failed == 0
    assert read_relative(engine, ids) == {}
    assert len(read_days(engine, "default", "anna")) == 6
    assert len(read_trends(engine, "default", "anna")) == 4


def test_a_day_is_a_plain_mean_and_counts_what_could_not_be_heard(engine):
    model = add_model(engine)
    calm, sad = make_scores(2)
    ids = register(engine, "anna", [FIRST + timedelta(hours=hour) for hour in range(4)])
    score(engine, model, {ids[0]: a_scored(calm), ids[1]: a_scored(sad, is_uncertain=True), ids[2]: silence()})

    refresh(engine)

    (day,) = read_days(engine, "default", "anna")
    assert (day.n_scored, day.n_uncertain, day.n_no_speech, day.n_failed, day.n_pending) == (2, 1, 1, 0, 1)
    assert day.scores == pytest.approx({label: (calm[label] + sad[label]) / 2 for label in calm})
    assert day.speech_ms == 32_000
    assert set(day.levels) == set(calm)
    assert (day.day, day.week, day.relative) == (FIRST.date(), FIRST.date() - timedelta(days=6), None)


def test_a_day_of_pending_notes_is_a_row(engine):
    add_model(engine)
    register(engine, "anna", [FIRST])

    refresh(engine)

    (day,) = read_days(engine, "default", "anna")
    assert (day.n_scored, day.n_pending, day.scores, day.levels) == (0, 1, None, None)


def test_notes_without_time_or_person_are_in_no_day(engine):
    model = add_model(engine)
    recordings.register(engine, [a_recording("a.wav", subject="anna"), a_recording("b.wav", recorded_at=FIRST)])
    score(engine, model, {1: a_scored(make_scores(1)[0]), 2: a_scored(make_scores(1)[0])})

    refresh(engine)

    assert count(engine, "subject_days") == 0
    assert n_notes_behind(engine, [1]) == [0]
    assert read_relative(engine, [2]) == {}


def test_a_person_who_has_gone_has_no_days_and_no_trends(engine):
    model = add_model(engine)
    (only,) = add_notes(engine, model, "anna", make_scores(1))
    refresh(engine)

    correct(engine, only, subject="ben")
    refresh(engine)

    assert read_days(engine, "default", "anna") == []
    assert read_trends(engine, "default", "anna") == []
    assert read_baseline(engine, "default", "anna", model_id=model.id) is None
    assert len(read_days(engine, "default", "ben")) == 1


def test_a_mark_that_comes_while_a_person_is_computed_is_not_lost(engine, monkeypatch):
    model = add_model(engine)
    add_notes(engine, model, "anna", make_scores(1))

    def read_then_add(*args):
        rows = read_person(*args)
        if count(engine, "recordings") == 1:
            register(engine, "anna", [FIRST + timedelta(days=3)])
        return rows

    monkeypatch.setattr("people.refreshing.read_person", read_then_add)
    refresh(engine)

    assert [day.n_pending for day in read_days(engine, "default", "anna")] == [0, 1]
    assert count_marked(engine) == 0


def test_a_spent_budget_leaves_the_others_marked(engine):
    model = add_model(engine)
    for subject in ("anna", "ben"):
        add_notes(engine, model, subject, make_scores(1))

    done = refresh(engine, budget_s=0)

    assert (done.n_people, done.is_done) == (1, False)  # one in any case: else a small budget would never end
    assert count_marked(engine) == 1


def test_a_person_who_cannot_be_computed_holds_up_nobody(engine):
    model = add_model(engine)
    add_notes(engine, model, "anna", [dict.fromkeys(make_scores(1)[0], 0.9)])
    add_notes(engine, model, "ben", make_scores(1))

    done = refresh(engine)

    assert (done.n_people, done.n_failed) == (1, 1)
    assert len(read_days(engine, "default", "ben")) == 1
    assert count_marked(engine) == 1
