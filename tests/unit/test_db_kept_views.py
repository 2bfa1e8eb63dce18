"""What the views show of a person's own baseline, days, trends and of the feed of changes; also run on PostgreSQL."""

from dataclasses import replace

import pytest
from db_samples import a_model, a_recording, a_result, add_active_model, days_later, new_sqlite, scores, silence
from kept_samples import SCORES, keep_day, keep_relative, keep_trend
from view_samples import as_json, end_jobs, note, rows

from db import changes, models, recordings
from db.schema import EMOTIONS


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def test_a_slope_comes_with_its_standard_error(engine):
    recordings.register(engine, [note("anna", 0), a_recording("quiet")])
    movement = {"slope_per_min": 0.25, "slope_error": 0.125, "start_mean": 0.0, "end_mean": 0.5, "volatility": 0.0}
    moved = replace(a_result(), trend={"sadness": movement})
    end_jobs(engine, {"anna/2026-11-02.wav": moved, "quiet": silence()})

    found, quiet = rows(engine, "v1_note")

    assert as_json(found.trend) == {"sadness": movement}
    assert quiet.trend is None
    assert not [name for name in found._fields if "slope" in name]


def test_a_note_shows_what_is_unusual_for_the_person_beside_what_the_model_hears(engine):
    recordings.register(engine, [note("anna", day) for day in range(3)])
    end_jobs(engine, {f"anna/2026-11-0{n}.wav": a_result() for n in (2, 3, 4)})
    keep_relative(engine, 2, subject="anna", n_notes=3)
    keep_relative(engine, 3, subject="anna", n_notes=10)

    unseen, early, known = rows(engine, "v1_note ORDER BY recording_id")

    relative = [name for name in known._fields if name.startswith("relative")]
    assert {getattr(row, name) for row in (unseen, early) for name in relative} == {None}
    assert [(row.baseline_state, row.baseline_n_notes) for row in (unseen, early, known)] == [
        (None, None),
        ("insufficient", 3),
        ("personal", 10),
    ]
    assert as_json(known.relative) == SCORES
    assert (known.relative_label, known.relative_confidence, bool(known.relative_is_uncertain)) == (
        "sadness",
        0.375,
        True,
    )
    assert (known.label, as_json(known.scores)) == ("sadness", scores())


def test_a_day_says_how_many_notes_of_each_kind_it_had_and_how_sure_its_level_is(engine):
    add_active_model(engine)
    keep_day(engine, "anna", n_no_speech=1, n_failed=2, n_pending=3)
    keep_day(engine, "anna", days_later(1).date(), n_scored=0, n_uncertain=0, n_pending=1, scores=None, levels=None)

    first, second = rows(engine, "v1_subject_day ORDER BY day")

    assert (first.n_notes, first.n_scored, first.n_uncertain, first.n_no_speech) == (9, 3, 1, 1)
    assert (first.n_failed, first.n_pending, str(first.day), str(first.week)) == (2, 3, "2026-11-02", "2026-11-02")
    assert as_json(first.levels)["sadness"] == {"level": -1.0, "error": 0.5}
    assert {name: getattr(first, name) for name in EMOTIONS} == SCORES == as_json(first.scores)
    assert (second.n_notes, second.scores, second.levels, second.anger) == (1, None, None, None)
    assert (first.model_name, first.model_version) == ("whisper3", "1.0")


def test_a_trend_says_its_state_why_and_by_how_much(engine):
    add_active_model(engine)
    keep_trend(engine, "anna")
    short = {"state": "insufficient", "reason": "too_few_baseline_days", "since": None, "baseline": None}
    keep_trend(engine, "ben", trend={"recent": None}, **short)

    anna, ben = rows(engine, "v1_subject_trend ORDER BY subject")

    assert (anna.measure, anna.state, anna.reason, str(anna.since)) == (
        "sadness",
        "shifted_up",
        "beyond_limit",
        "2026-10-22",
    )
    assert (anna.difference, anna.difference_low, anna.difference_high, anna.effect_size) == (0.5, 0.25, 0.75, 1.5)
    assert (ben.state, ben.reason) == ("insufficient", "too_few_baseline_days")
    assert {ben.difference, ben.difference_low, ben.difference_high, ben.effect_size, ben.since} == {None}


def test_days_and_trends_are_those_of_the_active_model(engine):
    first = add_active_model(engine)
    keep_day(engine, "anna")
    keep_trend(engine, "anna")
    models.activate(engine, models.add_model(engine, a_model("2.0")).id)
    seen = [rows(engine, view) for view in ("v1_subject_day", "v1_subject_trend")]
    models.activate(engine, first.id)

    assert seen == [[], []]
    assert [len(rows(engine, view)) for view in ("v1_subject_day", "v1_subject_trend")] == [1, 1]


def test_changes_are_seen_once_they_have_a_place(engine):
    add_active_model(engine)
    recordings.register(engine, [note("anna", 0, tenant="clinic")])
    before = rows(engine, "v1_change")
    changes.number(engine)

    activated, upserted = rows(engine, "v1_change ORDER BY position")

    assert before == []
    assert (activated.position, activated.tenant, activated.kind, activated.model_version) == (
        1,
        None,
        "model.activated",
        "1.0",
    )
    assert (upserted.position, upserted.tenant, upserted.kind, upserted.recording_id) == (
        2,
        "clinic",
        "note.upserted",
        1,
    )
    assert {upserted.reason, upserted.model_name} == {None}
