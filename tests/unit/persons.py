"""Simulated persons for the tests of pictures: days of four measures, with gaps and notes of every state."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np

from pictures.person import Measure, Mix, OwnBaseline, PersonPage
from tests.unit.days import FIRST, make_days, wander
from trends import TrendSettings, find_measure, judge_person

LABELS = ("anger", "happiness", "neutral", "sadness")
SETTINGS = TrendSettings()
HEARD = {"anger": 0.06, "happiness": 0.2, "neutral": 0.55, "sadness": 0.19}
RELATIVE = {"anger": 0.1, "happiness": 0.18, "neutral": 0.28, "sadness": 0.44}


def a_person(*, n_days=130, shift=0.9, subject="ana", seed=3, **others):
    """A person whose sadness is higher by `shift` from day 95 on."""
    rng = np.random.default_rng(seed)
    measures = []
    for name, usual in zip(LABELS, (-2.2, -1.0, 0.3, -1.4), strict=True):
        levels = wander(rng, n_days)[0] * 0.6 + usual
        if name == "sadness":
            levels[95:] += shift
        measures.append(a_measure(name, levels))
    mix = Mix(
        first_day=FIRST + timedelta(days=n_days - 14),
        last_day=FIRST + timedelta(days=n_days - 1),
        n_notes=28,
        scores=HEARD,
        relative=RELATIVE,
    )
    own = OwnBaseline(
        is_personal=True, n_notes=40, needed_notes=5, first_day=FIRST, last_day=FIRST + timedelta(days=30)
    )
    known = {"mix": mix, "own": own, **others}
    as_of = FIRST + timedelta(days=n_days - 1)
    return PersonPage(
        subject=subject, tenant="default", as_of=as_of, settings=SETTINGS, measures=tuple(measures), **known
    )


USUAL_VOICE = {  # and how far days are from it, on the scale of each
    "pitch_median_hz": (190.0, 0.8),
    "pitch_spread_semitones": (2.6, 0.1),
    "level_spread_db": (5.1, 0.03),
    "onsets_per_s": (3.9, 0.06),
    "pause_share": (0.2, 0.06),
}


def with_voice(page, *, seed=5, rise=2.0):
    """The same person with measures of the voice, in which pauses rise by so many standard deviations from day 95 on."""
    rng = np.random.default_rng(seed)
    n_days = (page.as_of - FIRST).days + 1
    measures = []
    for name, (value, sd) in USUAL_VOICE.items():
        levels = find_measure(name).to_level(value) + sd * wander(rng, n_days)[0]
        if name == "pause_share":
            levels[95:] += rise * sd
        measures.append(a_measure(name, levels, error=0.4 * sd))
    return replace(page, voice=tuple(measures))


def a_measure(name, levels, *, model="m-1", error=0.4):
    """One measure, judged on the last day; every seventh day is a gap, and some notes have no scores."""
    settings = find_measure(name).adapt_settings(SETTINGS)
    levels = np.array(levels)
    levels[5::7] = np.nan
    days = [
        replace(
            day,
            n_uncertain=int(place % 3 == 0 and day.n_scored > 0),
            n_pending=int(place % 11 == 0),
            n_no_speech=place % 2,
        )
        for place, day in enumerate(make_days(levels, model=model, error=error))
    ]
    trend = judge_person(days, settings, model=model, as_of=FIRST + timedelta(days=len(levels) - 1))
    return Measure(name=name, trend=trend, days=tuple(days))
