"""What app backends read, and every query of db/QUERIES.md; also run on PostgreSQL in tests/integration."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from db_samples import (
    a_model,
    a_recording,
    a_result,
    add_active_model,
    add_jobs,
    days_later,
    new_sqlite,
    people_of,
    scores,
    silence,
    take,
)
from kept_samples import keep_day, keep_relative, keep_trend
from sqlalchemy import text
from view_samples import as_json, end_jobs, note, rows

import db
from db import backoff, changes, models, progress, recordings, trends
from db.reasons import Reason
from db.schema import EMOTIONS

PAGE = (Path(db.__file__).parent / "QUERIES.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"^```sql\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL)

VIEWS = ("v1_note", "v1_segment", "v1_subject_day", "v1_subject_trend", "v1_change")


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def a_few_weeks(engine):
    """Two people over eight days, what is kept of them, and one note or more of every other state."""
    ends = {}
    found = [a_recording("unknown.wav"), a_recording("broken.wav"), a_recording("quiet.wav", subject="ben")]
    ends |= {"unknown.wav": a_result(is_uncertain=True), "broken.wav": Reason.NOT_AUDIO, "quiet.wav": silence()}
    found.append(note("carl", 3))
    moving = {
        "sadness": {"slope_per_min": 0.25, "slope_error": 0.1, "start_mean": 0.1, "end_mean": 0.4, "volatility": 0.0}
    }
    ends[found[-1].key] = Reason.TRUNCATED
    for day in range(8):
        for subject, sadness in (("anna", 0.1 + 0.1 * day), ("ben", 0.3)):
            found.append(note(subject, day))
            pooled = scores(sadness=sadness, anger=0.05, happiness=0.05)
            said = {"arousal": 0.1, "valence": -sadness}
            ends[found[-1].key] = replace(a_result(pooled=pooled, dimensions=said), trend=moving)
    recordings.register(engine, found)
    end_jobs(engine, ends)
    keep_relative(engine, 5, subject="anna")
    for subject in ("anna", "ben"):
        for day in range(8):
            keep_day(engine, subject, days_later(day).date())
    keep_day(engine, "anna", days_later(9).date(), n_scored=0, n_uncertain=0, n_failed=1, scores=None, levels=None)
    for measure in EMOTIONS:
        keep_trend(engine, "anna", measure=measure)
    short = {"state": "insufficient", "reason": "too_few_baseline_days", "since": None, "trend": {"recent": None}}
    keep_trend(engine, "ben", baseline=None, **short)
    changes.number(engine)


def test_every_query_of_the_page_runs_and_finds_rows(engine):
    a_few_weeks(engine)

    with engine.connect() as connection:
        found = {query: len(connection.execute(text(query)).all()) for query in QUERIES}

    assert [query for query, n_rows in found.items() if n_rows == 0] == []
    assert len(found) == PAGE.count("```sql") >= 15


@pytest.mark.parametrize("view", VIEWS)
def test_the_page_names_every_column_of_a_view_and_a_row_has_its_tenant(engine, view):
    with engine.connect() as connection:
        columns = connection.execute(text(f"SELECT * FROM {view}")).keys()

    assert "tenant" in columns
    assert [name for name in columns if f"`{name}`" not in section(view)] == []


def test_a_note_says_how_it_stands(engine):
    keys = ("scored", "silent", "broken", "running", "waiting")
    recordings.register(engine, [a_recording(key) for key in keys])
    end_jobs(engine, {"scored": a_result(), "silent": silence(), "broken": Reason.TRUNCATED})
    recordings.register(engine, [a_recording("new")])

    notes = {found.key: (found.status, found.reason) for found in trends.list_notes(engine)}

    assert notes == {
        "scored": ("scored", None),
        "silent": ("no_speech", None),
        "broken": ("failed", Reason.TRUNCATED),
        "running": ("pending", None),
        "waiting": ("pending", None),
        "new": ("pending", None),
    }


def test_without_an_active_model_every_note_is_pending(engine):
    recordings.register(engine, [a_recording("a")])

    (found,) = trends.list_notes(engine)

    assert (found.status, found.model_version) == ("pending", None)


def test_a_scored_note_shows_its_numbers(engine):
    recordings.register(engine, [note("anna", 0)])
    end_jobs(engine, {"anna/2026-11-02.wav": a_result(is_uncertain=True)})

    (found,) = trends.list_notes(engine, recording_id=1)

    assert found.scores == {"anger": 0.1, "happiness": 0.2, "neutral": 0.3, "sadness": 0.4}
    assert (found.label, found.confidence, found.is_uncertain) == ("sadness", 0.4, True)
    assert (found.speech_ms, found.duration_ms, found.slope_per_min["sadness"]) == (9_000, 10_000, 0.25)
    assert (found.recorded_at, found.model_name, found.model_version) == (days_later(0), "whisper3", "1.0")
    assert found.scored_at.tzinfo is not None


def test_readers_see_the_active_model_and_all_results_stay(engine):
    recordings.register(engine, [note("anna", 0)])
    key = "anna/2026-11-02.wav"
    end_jobs(engine, {key: a_result(pooled=scores(anger=0.9))})
    second = models.activate(engine, models.add_model(engine, a_model("2.0")).id, force=True)
    between = trends.list_notes(engine)[0].status
    end_jobs(engine, {key: a_result(pooled=scores(happiness=0.8))})

    seen = [trends.list_notes(engine)[0].label, len(rows(engine, "v1_segment"))]
    models.activate(engine, second.id - 1)
    seen += [trends.list_notes(engine)[0].label, len(rows(engine, "v1_segment"))]

    assert between == "pending"
    assert seen == ["happiness", 2, "anger", 2]


def test_superseded_versions_are_not_shown(engine):
    recordings.register(engine, [a_recording("a", "v1")])
    end_jobs(engine, {"a": a_result()})
    recordings.register(engine, [a_recording("a", "v2")])

    assert [(found.recording_id, found.status) for found in trends.list_notes(engine)] == [(2, "pending")]
    assert rows(engine, "v1_segment") == []


@pytest.mark.parametrize(
    ("days", "monday"), [(0, "2026-11-02"), (6, "2026-11-02"), (6.7, "2026-11-09"), (-1, "2026-10-26")]
)
def test_weeks_begin_on_monday(engine, days, monday):
    recordings.register(engine, [note("anna", days)])

    (found,) = rows(engine, "v1_note")

    assert str(found.week) == monday
    assert str(found.day) == f"{days_later(days):%Y-%m-%d}"


@pytest.mark.parametrize(
    ("offset_min", "local", "monday"),
    [
        (60, "2026-11-09 00:15:00", "2026-11-09"),
        (-600, "2026-11-08 13:15:00", "2026-11-02"),
        (330, "2026-11-09 04:45:00", "2026-11-09"),
        (840, "2026-11-09 13:15:00", "2026-11-09"),
    ],
)
def test_days_and_weeks_are_those_of_the_recorders_calendar(engine, offset_min, local, monday):
    moment = datetime(2026, 11, 8, 23, 15, tzinfo=UTC)
    when = {"recorded_at": moment, "utc_offset_min": offset_min, "local_day": date.fromisoformat(local[:10])}
    recordings.register(engine, [a_recording("a", subject="anna", **when)])
    end_jobs(engine, {"a": a_result()})

    (found,) = rows(engine, "v1_note")

    assert str(found.recorded_at_local)[:19] == local
    assert str(found.recorded_at)[:19] == "2026-11-08 23:15:00"
    assert (str(found.day), str(found.week)) == (local[:10], monday)


def test_without_an_offset_nobody_knows_what_the_clock_showed(engine):
    recordings.register(engine, [a_recording("a", recorded_at=days_later(0), local_day=days_later(0).date())])

    (found,) = rows(engine, "v1_note")

    assert (found.recorded_at_local, str(found.day)) == (None, "2026-11-02")


def test_the_same_name_of_two_tenants_is_two_people(engine):
    first, second = (note("anna", 0, tenant=tenant, bucket=tenant) for tenant in ("clinic", "default"))
    recordings.register(engine, [first, second])
    end_jobs(engine, {first.key: a_result()})

    assert sorted({row.tenant for row in rows(engine, "v1_note")}) == ["clinic", "default"]
    assert sorted({row.tenant for row in rows(engine, "v1_segment")}) == ["clinic", "default"]
    assert [one.tenant for one in trends.subject_trend(engine, "anna")] == ["default"]


def test_a_fifth_label_is_in_the_scores_of_notes_segments_and_days(engine):
    add_active_model(engine, labels=(*EMOTIONS, "fear"))
    first, second = note("anna", 0), a_recording("anna/later.wav", subject="anna", recorded_at=days_later(0.5))
    recordings.register(engine, [first, second])
    five = {"anger": 0.1, "happiness": 0.1, "neutral": 0.1, "sadness": 0.1, "fear": 0.6}
    less = {**five, "anger": 0.5, "fear": 0.2}
    end_jobs(
        engine, {first.key: a_result(pooled=five, speech_ms=9_000), second.key: a_result(pooled=less, speech_ms=1_000)}
    )

    keep_day(engine, "anna", scores=five)
    of_scores = ("v1_note", "v1_segment", "v1_subject_day")
    seen = {view: [as_json(row.scores) for row in rows(engine, view)] for view in of_scores}

    assert sorted(seen["v1_note"], key=by_fear) == [less, five]
    assert sorted(seen["v1_segment"], key=by_fear) == [less, less, five, five]
    assert seen["v1_subject_day"] == [five]
    assert trends.list_notes(engine, recording_id=1)[0].scores == five


def test_scores_of_four_labels_are_those_of_the_four_columns(engine):
    a_few_weeks(engine)

    for view in ("v1_note", "v1_segment", "v1_subject_day"):
        scored = [row for row in rows(engine, view) if row.anger is not None]
        assert scored
        for row in scored:
            assert as_json(row.scores) == pytest.approx({name: getattr(row, name) for name in EMOTIONS})
    assert {row.scores for row in rows(engine, "v1_note") if row.status != "scored"} == {None}


@pytest.mark.parametrize("view", VIEWS)
def test_no_view_says_where_anything_lies_in_storage(engine, view):
    found = note("anna", 0, store="canary-store", bucket="canary-bucket", version_tag="canary-tag")
    found = replace(found, key="canary-key")
    recordings.register(engine, [found])
    end_jobs(engine, {found.key: a_result()})
    keep_day(engine, "anna")
    keep_trend(engine, "anna")
    keep_relative(engine, 1, subject="anna")
    changes.number(engine)

    assert len(rows(engine, view)) >= 1
    assert "canary" not in str(rows(engine, view))


def test_a_trend_is_in_order_of_recording_and_puts_unknown_times_last(engine):
    late = note("anna", 3, uploaded_at=days_later(4))
    early = note("anna", 1, uploaded_at=days_later(9))
    recordings.register(engine, [a_recording("anna/when", subject="anna"), late, early, note("ben", 2)])

    found = trends.subject_trend(engine, "anna")
    within = trends.subject_trend(engine, "anna", since=days_later(1), until=days_later(3))

    assert [one.key for one in found] == [early.key, late.key, "anna/when"]
    assert [one.key for one in within] == [early.key]
    assert people_of(engine) == {"anna": 3, "ben": 1}
    assert trends.subject_trend(engine, "nobody") == []


def test_notes_are_listed_by_place_and_prefix(engine):
    found = [a_recording("in/a"), a_recording("in/b"), a_recording("in_b"), a_recording("in/a", bucket="other")]
    recordings.register(engine, found)

    listed = trends.list_notes(engine, store="local", bucket="notes", prefix="in/")

    assert [one.key for one in listed] == ["in/a", "in/b"]
    assert len(trends.list_notes(engine, limit=3)) == 3


def test_progress_counts_what_has_ended_and_guesses_how_much_audio_there_is(engine):
    keys = ("in/scored", "in/broken", "in/new1", "in/new2", "out")
    recordings.register(engine, [a_recording(key) for key in keys])
    end_jobs(engine, {"in/scored": a_result(), "in/broken": Reason.NOT_AUDIO, "out": a_result()})
    model = models.active_model(engine)

    seen = progress.progress(engine, model.id, store="local", bucket="notes", prefix="in/")
    before = progress.progress(engine, model.id + 1, store="local", bucket="notes")

    assert (seen.n_recordings, seen.n_ended, seen.is_complete) == (4, 2, False)
    assert (seen.ended_ms, seen.expected_ms) == (10_000, 40_000)
    assert (before.n_ended, before.expected_ms) == (0, 0.0)


def test_progress_says_how_many_wait_to_be_tried_again_and_for_what(engine):
    (job_id, _) = add_jobs(engine, 2)
    claim = take(engine, job_id)
    backoff.retry_later(engine, claim, Reason.STORAGE_UNAVAILABLE, detail="down", is_transient=True)

    seen = progress.progress(engine, models.active_model(engine).id, store="local", bucket="notes")

    assert (seen.n_recordings, seen.n_ended, seen.n_waiting) == (2, 0, 1)
    assert seen.waiting_reason == "STORAGE_UNAVAILABLE"


def by_fear(scores):
    return scores["fear"]


def section(view):
    """What the page tells of a view."""
    return next(part for part in PAGE.split("\n**`") if part.startswith(view))
