"""A day is the plain mean of its notes, with an error that knows how many and how long they are."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trends import NoteLevel, NoteSpread, NoteState, measure_note_spread, summarise_day

DAY = date(2026, 3, 29)  # clocks went forward on it in Europe: a day like every other
LEVELS = st.lists(st.floats(-4.6, 4.6), min_size=1, max_size=8)


def make_note(level, *, n_windows=5.0, spread=0.6, is_uncertain=False):
    return NoteLevel(
        state=NoteState.SCORED,
        level=level,
        spread=spread,
        n_windows=n_windows,
        speech_s=8 * n_windows,
        is_uncertain=is_uncertain,
    )


def summarise(notes, **options):
    return summarise_day(DAY, "m-1", notes, **options)


@settings(max_examples=50, deadline=None)
@given(LEVELS, st.randoms(use_true_random=False))
def test_the_order_of_notes_changes_nothing(levels, random):
    notes = [make_note(level, n_windows=1 + place) for place, level in enumerate(levels)]
    shuffled = random.sample(notes, len(notes))

    assert summarise(shuffled) == summarise(notes)


@settings(max_examples=50, deadline=None)
@given(LEVELS, st.floats(-3, 3))
def test_a_shift_of_every_note_is_a_shift_of_the_day(levels, by):
    here, there = (summarise([make_note(level + offset) for level in levels]) for offset in (0.0, by))

    assert there.level - here.level == pytest.approx(by, abs=1e-9)
    assert there.error == here.error


def test_what_was_not_scored_is_counted_and_is_no_value():
    notes = [NoteLevel(state=state) for state in NoteState if state is not NoteState.SCORED]

    silent, spoken = summarise(notes), summarise([*notes, make_note(1.0, is_uncertain=True)])

    assert (silent.level, silent.error, silent.n_scored) == (None, None, 0)
    assert (spoken.level, spoken.n_scored, spoken.n_uncertain) == (1.0, 1, 1)
    assert (spoken.n_no_speech, spoken.n_failed, spoken.n_pending) == (1, 2, 1)


def test_one_long_note_does_not_outvote_two_short_ones():
    day = summarise([make_note(0.0, n_windows=2), make_note(0.0, n_windows=2), make_note(3.0, n_windows=75)])

    assert day.level == pytest.approx(1.0)


def test_more_notes_and_longer_ones_make_a_day_surer():
    one, two, long = (
        summarise([make_note(0.0, n_windows=n_windows)] * n_notes).error
        for n_notes, n_windows in ((1, 2), (2, 2), (1, 75))
    )

    assert two == pytest.approx(one / np.sqrt(2))
    assert NoteSpread().between_sd < long < one


def simulate_notes(rng, *, n_days, windows, between, within, ready=0.0):
    """Notes of days whose true level is 0, with so many windows each."""
    days = []
    for _ in range(n_days):
        notes = []
        for n_windows in windows:
            heard = ready + between * rng.standard_normal() + within * rng.standard_normal(n_windows)
            notes.append(make_note(float(heard.mean()), n_windows=n_windows, spread=float(heard.std(ddof=1))))
        days.append(notes)
    return days


@pytest.mark.parametrize(("between", "within"), [(0.5, 0.65), (0.2, 1.0), (1.0, 0.3)])
def test_the_error_of_a_day_is_what_days_scatter_by(between, within):
    days = simulate_notes(np.random.default_rng(1), n_days=600, windows=(2, 5, 75), between=between, within=within)

    spread = measure_note_spread(days)
    summaries = [summarise(notes, spread=spread) for notes in days]

    assert spread.between_sd == pytest.approx(between, rel=0.15)
    assert spread.within_sd == pytest.approx(within, rel=0.1)
    assert np.std([day.level for day in summaries]) == pytest.approx(summaries[0].error, rel=0.1)


def test_a_person_of_whom_nothing_is_known_varies_as_is_usual():
    assert measure_note_spread([]) == NoteSpread()
    assert measure_note_spread([[], [NoteLevel(state=NoteState.PENDING)]]) == NoteSpread()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"state": NoteState.SCORED}, "scored has level None"),
        ({"state": NoteState.FAILED, "level": 1.0}, "failed has level 1.0"),
        ({"state": NoteState.SCORED, "level": 1.0, "n_windows": 0}, "0 windows"),
        ({"state": NoteState.SCORED, "level": float("nan"), "n_windows": 1}, "level nan"),
        ({"state": NoteState.SCORED, "level": 1.0, "n_windows": 1, "spread": -1.0}, "spread is -1.0"),
        ({"state": NoteState.PENDING, "speech_s": -1.0}, "speech_s is -1.0"),
    ],
)
def test_a_note_that_is_none_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        NoteLevel(**values)
