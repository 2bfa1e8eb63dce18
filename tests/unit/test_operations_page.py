"""The operator's page: each count in words, picture and table; drift is told only where there are notes enough."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from db_samples import add_active_model, new_sqlite

from benchmarks.false_alarm_curves import make_curves
from db.drift import DriftMeasure, DriftNight
from db.operations import DayOutput, FailureCount, LaneCount, ModelCoverage, WeekScores
from db.reasons import DriftState, JobState, Lane
from pictures.drift_figures import draw_nights
from pictures.operations import OperationsPage, collect_operations, measure_drift, read_curves
from pictures.operations_figures import draw_curves, draw_output, draw_weeks
from pictures.operations_words import list_sentences
from pictures.pages import render_operations
from pictures.person_figures import WIDTHS

AT = datetime(2026, 5, 13, 9, 30, tzinfo=UTC)  # a Wednesday
MONDAY = date(2026, 5, 11)
MODEL = "speech-emotion-0.6.0"


def a_week(n_before, scores, *, label="sadness", model=MODEL):
    bins = tuple(int(n) for n in np.histogram(scores, bins=10, range=(0, 1))[0])
    week = MONDAY - timedelta(weeks=n_before)
    mean = float(np.mean(scores))
    return WeekScores(
        model=model, week=week, label=label, n_notes=len(scores), n_uncertain=len(scores) // 4, mean=mean, bins=bins
    )


def a_drift_night(n_before, **others):
    """Of forty nights the last three have moved, and the first ones had too few notes."""
    night = AT.date() - timedelta(days=n_before)
    days = {"recent_since": night, "recent_until": night, "reference_since": night, "reference_until": night}
    state = DriftState.MOVED if n_before < 3 else DriftState.STABLE if n_before < 30 else DriftState.TOO_FEW
    moved = DriftMeasure(name="sadness", divergence=0.01 + 0.03 * (n_before < 3), limit=0.025, low=0.0, high=0.06)
    known = {"night": night, "model_id": 1, "model": MODEL, "is_active": True, "measured_at": AT, "state": state}
    known |= {"n_recent": 60, "n_reference": 480, "n_persons": 40}
    return DriftNight(**known | days | {"measures": () if state is DriftState.TOO_FEW else (moved,)} | others)


def busy_page(**others):
    rng = np.random.default_rng(0)
    weeks = [
        a_week(n, rng.beta(2 if n > 3 else 5, 6, 60), label=label)
        for n in range(11, -1, -1)
        for label in ("anger", "sadness")
    ]
    active = ModelCoverage(
        model=MODEL,
        is_active=True,
        n_recordings=1000,
        n_scored=900,
        n_no_speech=30,
        n_failed=20,
        n_cancelled=0,
        n_pending=40,
    )
    known = {
        "at": AT,
        "tenant": None,
        "lanes": (
            LaneCount(lane=Lane.BULK, state=JobState.PENDING, n=30),
            LaneCount(lane=Lane.BULK, state=JobState.DONE, n=930),
            LaneCount(lane=Lane.NIGHTLY, state=JobState.QUEUED, n=10),
        ),
        "failures": (
            FailureCount(model=MODEL, reason="NOT_AUDIO", n=15),
            FailureCount(model=MODEL, reason="TRUNCATED", n=5),
        ),
        "coverage": (active,),
        "output": tuple(
            DayOutput(day=AT.date() - timedelta(days=n), n_notes=30 + n, duration_ms=3_600_000)
            for n in range(20, -1, -1)
        ),
        "weeks": tuple(weeks),
        "nights": tuple(a_drift_night(n) for n in range(40)),
    }
    return OperationsPage(**known | others)


def test_every_part_is_told_in_a_sentence():
    told = dict(list_sentences(busy_page()))

    assert told["Work"] == "40 jobs are unfinished: 30 in bulk, 10 in nightly."
    assert told["Output"] == "840 notes in the last 28 days, 21.0 hours of sound."
    assert told["Failures"] == "20 of 1000 live recordings, most often NOT_AUDIO (15)."
    assert told["Model"] == f"930 of 1000 live recordings have a result of {MODEL}; 50 are still to come."
    assert told["Scores"].startswith("moved in the last 4 weeks")
    assert told["Drift"].startswith(
        "sadness beyond the limit in the night of 13 May 2026; the largest divergence is that of"
    )


def test_an_empty_system_has_a_page_that_claims_nothing(tmp_path):
    engine = new_sqlite(tmp_path)
    told = dict(list_sentences(collect_operations(engine, at=AT)))

    assert told["Model"] == "none is active."
    assert told["Scores"].startswith("too few notes")
    assert "No model is registered." in render_operations(collect_operations(engine, at=AT))
    add_active_model(engine)
    assert "None has failed." in render_operations(collect_operations(engine, at=AT, tenant="clinic"))


def test_drift_is_nothing_for_the_same_scores_and_large_for_others():
    rng = np.random.default_rng(1)
    same = [a_week(n, rng.beta(2, 6, 200)) for n in range(12)]
    other = [a_week(n, rng.beta(6 if n < 4 else 2, 4, 200)) for n in range(12)]

    assert measure_drift(same, this_week=MONDAY) < 0.1
    assert measure_drift(other, this_week=MONDAY) > 0.25


def test_drift_of_few_notes_is_not_told():
    weeks = [a_week(n, [0.1] * 12) for n in range(4)] + [a_week(n, [0.9] * 100) for n in range(4, 8)]

    assert measure_drift(weeks, this_week=MONDAY) is None
    assert measure_drift(weeks[4:], this_week=MONDAY) is None


@pytest.mark.parametrize("width", WIDTHS)
def test_every_note_of_a_week_is_in_its_picture(width):
    page = busy_page()

    figure = draw_weeks("sadness", page.weeks_of("sadness"), width=width)

    cells = [mark for mark in figure.marks if mark.kind == "heat"]
    assert len(cells) == sum(n > 0 for one in page.weeks_of("sadness") for n in one.bins)
    assert sum(mark.kind == "recent" for mark in figure.marks) == 12
    assert len([mark for mark in draw_output(page, width=width).marks if mark.kind == "note scored"]) == 21


@pytest.mark.parametrize("width", WIDTHS)
def test_each_measured_night_is_a_dot_and_filled_where_it_has_moved(width):
    marks = draw_nights(busy_page().nights, width=width).marks

    assert [sum(mark.kind == kind for mark in marks) for kind in ("day", "day other", "limit")] == [3, 27, 30]


def test_drift_is_shown_only_to_who_may_see_all_tenants(tmp_path):
    engine = new_sqlite(tmp_path)

    of_tenant = dict(list_sentences(collect_operations(engine, at=AT, tenant="clinic")))
    of_all = dict(list_sentences(collect_operations(engine, at=AT, has_drift=True)))

    assert "Drift" not in of_tenant
    assert of_all["Drift"] == "not measured yet: the nightly run does."
    quiet = busy_page(nights=(a_drift_night(5),))
    assert dict(list_sentences(quiet))["Drift"].startswith("nothing beyond its limit")
    assert "too few" in dict(list_sentences(busy_page(nights=(a_drift_night(35),))))["Drift"]
    assert "Table of nights" in render_operations(busy_page(nights=(a_drift_night(35),)))


def test_another_models_scores_are_not_mixed_in():
    page = busy_page(weeks=(a_week(1, [0.9] * 60, model="old-1"), a_week(0, [0.1] * 60)))

    assert [one.mean for one in page.weeks_of("sadness")] == [pytest.approx(0.1)]


def test_the_page_has_every_number_in_a_table():
    html = render_operations(busy_page())

    for cell in ("<td>NOT_AUDIO</td>", "<td>930</td>", "<td>2026-05-11</td>", "<td>900</td>"):
        assert cell in html
    assert html.count("<table>") == 8
    assert html.count("<td>too few</td>") == 10
    assert "<script" not in html


def test_curves_are_what_the_arithmetic_gives_today():
    kept = read_curves()
    made = make_curves(600, seed=1)

    assert set(kept.shares) == set(made)
    for name, shares in kept.shares.items():
        assert len(shares) == 90
        assert all(a <= b for a, b in pairwise(shares)), "nobody is unflagged"
        # Three standard errors of a share of 600 persons.
        reach = 3 * (max(shares[-1] * (1 - shares[-1]), 0.01) / 600) ** 0.5
        assert made[name][-1] == pytest.approx(shares[-1], abs=reach)


@pytest.mark.parametrize("width", WIDTHS)
def test_each_curve_is_drawn_once(width):
    curves = read_curves()

    drawn = [mark.kind for mark in draw_curves(curves, width=width).marks if mark.kind.startswith("curve")]

    assert sorted(drawn) == [f"curve curve-{place}" for place in range(len(curves.shares))]
