"""What is counted for drift, and how nights are kept; also run on PostgreSQL."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from compare_samples import SAD, add_notes, add_versions, fill_two, score
from db_samples import MONDAY, new_sqlite

from db import models
from db.drift import DriftMeasure, NewDriftNight, read_drift, write_drift
from db.drift_counts import Days, count_persons, list_sizes
from db.errors import ConstraintViolated
from db.reasons import DriftState
from trends.comparing.drift import DriftState as MeasuredState

FIRST = MONDAY.date()
DAY = timedelta(days=1)
LABELS = ("anger", "happiness", "neutral", "sadness")


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def a_night(model, night=FIRST, **others):
    measure = DriftMeasure(name="sadness", divergence=0.05, limit=0.03, low=0.01, high=0.09)
    values = {"night": night, "model_id": model.id, "recent_since": night - 8 * DAY, "recent_until": night - 2 * DAY}
    values |= {"reference_since": night - 64 * DAY, "reference_until": night - 9 * DAY, "n_recent": 700}
    values |= {"n_reference": 5000, "n_persons": 90, "state": DriftState.MOVED, "measures": (measure,)}
    return NewDriftNight(**values | others)


def test_notes_are_counted_by_person_model_side_label_and_score(engine):
    a, b = fill_two(engine)
    days = {"recent": Days(since=FIRST, until=FIRST), "reference": Days(since=FIRST + DAY, until=FIRST + 9 * DAY)}

    found = list(count_persons(engine, **days))

    by_key = {(one.model_id, one.person): one for one in found}
    assert len(by_key) == len(found) == 5
    ana = by_key[b.id, "default\x1fana"]
    assert ana.recent["labels"] == [1, 0, 0, 0, 0]
    assert ana.reference["labels"] == [2, 0, 0, 0, 0]
    assert ana.reference["anger"] == [0, 0, 0, 0, 0, 0, 2, 0, 0, 0]
    ben = by_key[b.id, "clinic\x1fben"]
    assert ben.recent["labels"] == [0, 0, 0, 0, 1], "silent"
    assert sum(ben.recent["sadness"]) == 0
    assert by_key[a.id, "clinic\x1fben"].recent["sadness"] == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    nobody = [one for one in found if one.person not in {"default\x1fana", "clinic\x1fben"}]
    assert [one.recent["labels"] for one in nobody] == [[0, 0, 0, 1, 0]]
    assert list_sizes(engine)[a.id] == {"labels": 5} | dict.fromkeys(LABELS, 10)


def test_days_outside_of_both_periods_are_not_counted(engine):
    a, _ = add_versions(engine)
    score(engine, a, dict.fromkeys(add_notes(engine, "ana", 6), SAD))
    days = {"recent": Days(since=FIRST, until=FIRST), "reference": Days(since=FIRST + 2 * DAY, until=FIRST + 3 * DAY)}

    (ana,) = count_persons(engine, **days)

    assert (sum(ana.recent["labels"]), sum(ana.reference["labels"])) == (1, 2)


def test_a_night_is_read_as_it_was_written_and_a_second_look_replaces_it(engine):
    a, b = add_versions(engine)
    write_drift(engine, a_night(a))
    write_drift(engine, replace(a_night(a), state=DriftState.STABLE, measures=()))
    write_drift(engine, a_night(b))

    first, second = read_drift(engine)

    assert (first.model, first.is_active, first.state, first.measures) == ("whisper3-1.0", True, DriftState.STABLE, ())
    assert first.largest is None
    assert second.largest == a_night(b).measures[0]
    assert second.largest.has_moved
    assert second.recent_until == FIRST - 2 * DAY


def test_the_newest_nights_come_first_and_only_as_many_as_asked_for(engine):
    a, b = add_versions(engine)
    for n in range(5):
        write_drift(engine, a_night(a, FIRST + n * DAY))
    write_drift(engine, a_night(b, date(2026, 1, 1)))

    assert [night.night for night in read_drift(engine, n_nights=2)] == [FIRST + 4 * DAY, FIRST + 3 * DAY]
    assert [night.night for night in read_drift(engine, model_id=b.id)] == [date(2026, 1, 1)]
    assert read_drift(engine, model_id=99) == []


def test_a_night_of_a_model_that_is_not_there_is_refused(engine):
    a, _ = add_versions(engine)

    with pytest.raises(ConstraintViolated):
        write_drift(engine, a_night(models.active_model(engine), model_id=a.id + 7))


def test_rows_and_measures_know_the_same_states():
    assert {state.value for state in DriftState} == {state.value for state in MeasuredState}
