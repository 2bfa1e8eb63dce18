"""Days and trends of measures of the voice, kept beside those of labels; also run on PostgreSQL in tests/integration."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from api_samples import Client, a_key, running, subject_path
from db_samples import new_sqlite
from people_samples import FIRST, a_scored, add_model, make_scores, register, score

from db.people_rows import read_days, read_trends
from db.reasons import TrendState
from people import refresh
from tonalog.person_words import describe_trends
from trends import VOICE_MEASURES, Day, TrendSettings, judge_person

N_DAYS, N_BASELINE = 100, 60
LAST = FIRST + timedelta(days=N_DAYS - 1)
RISE = 1.3  # over four semitones


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def speak(rng, day):
    rise = RISE if day >= N_BASELINE else 1.0
    return {
        "speaking_share": float(rng.uniform(0.4, 0.9)),
        "pause_share": float(rng.uniform(0.1, 0.3)),
        "onsets_per_s": float(4 * np.exp(0.1 * rng.standard_normal())),
        "pitch_median_hz": float(180 * rise * 2 ** (rng.standard_normal() / 12)),
        "pitch_spread_semitones": float(2.5 * np.exp(0.2 * rng.standard_normal())),
        "level_spread_db": float(5 * np.exp(0.05 * rng.standard_normal())),
    }


def fill(engine, *, voices):
    model = add_model(engine)
    ids = register(engine, "anna", [FIRST + timedelta(days=place) for place in range(len(voices))])
    found = [
        replace(a_scored(scores), voice=voice) for scores, voice in zip(make_scores(len(ids)), voices, strict=True)
    ]
    score(engine, model, dict(zip(ids, found, strict=True)))
    refresh(engine, now=LAST)


def test_a_voice_that_has_become_higher_is_told_in_words_and_labels_are_left_alone(engine):
    rng = np.random.default_rng(2)
    fill(engine, voices=[speak(rng, day) for day in range(N_DAYS)])

    found = {trend.measure: trend for trend in read_trends(engine, "default", "anna", of_voice=True)}
    labels = read_trends(engine, "default", "anna")

    assert set(found) == set(VOICE_MEASURES)
    assert {name for name, trend in found.items() if trend.state is not TrendState.STABLE} == {"pitch_median_hz"}
    assert found["pitch_median_hz"].state is TrendState.SHIFTED_UP
    assert {trend.measure for trend in labels} == {"anger", "happiness", "neutral", "sadness"}
    assert describe_trends(list(found.values()), TrendSettings())[0].startswith(
        "Trend of pitch_median_hz: a higher voice than is usual for this person, since about "
    )


def test_a_trend_is_that_of_the_arithmetic_on_the_days_that_are_kept(engine):
    rng = np.random.default_rng(3)
    fill(engine, voices=[speak(rng, 0) for _ in range(N_DAYS)])
    kept = {trend.measure: trend for trend in read_trends(engine, "default", "anna", of_voice=True)}

    for name, measure in VOICE_MEASURES.items():
        days = [
            Day(
                day=day.day,
                model="whisper3-1.0",
                n_scored=day.n_scored,
                speech_s=day.speech_ms / 1_000,
                **day.levels[name],
            )
            for day in read_days(engine, "default", "anna")
        ]
        settings = measure.adapt_settings(TrendSettings(n_measures=len(VOICE_MEASURES)))
        expected = judge_person(days, settings, model="whisper3-1.0", as_of=LAST.date()).as_dict()
        assert list(kept[name].chart) == expected.pop("chart")
        assert kept[name].trend == expected


def test_days_hold_a_level_only_of_what_their_notes_have(engine):
    fill(engine, voices=[{}, {"pause_share": 0.2}, {"pause_share": 0.0, "speaking_share": 0.5}])

    levels = [set(day.levels) & set(VOICE_MEASURES) for day in read_days(engine, "default", "anna")]

    assert levels == [set(), {"pause_share"}, {"pause_share"}]
    assert [trend.measure for trend in read_trends(engine, "default", "anna", of_voice=True)] == ["pause_share"]


def test_people_whose_notes_were_scored_by_an_earlier_release_have_trends_of_labels_alone(engine):
    fill(engine, voices=[{}] * 3)

    assert read_trends(engine, "default", "anna", of_voice=True) == []
    assert len(read_trends(engine, "default", "anna")) == 4


def test_the_api_serves_them_apart_from_labels_with_their_scale(engine):
    rng = np.random.default_rng(4)
    fill(engine, voices=[speak(rng, 0) for _ in range(3)])

    with running(engine) as port:
        app = Client(port, a_key(engine))
        told, day = app.get(subject_path("anna", "/trend")).json, app.get(subject_path("anna", "/days")).json["days"][0]

    assert {one["measure"]: one["scale"] for one in told["voice"]} == {
        name: measure.scale.value for name, measure in VOICE_MEASURES.items()
    }
    assert {one["scale"] for one in told["trends"]} == {"log_odds"}
    assert set(day["levels"]) == {one["measure"] for one in (*told["voice"], *told["trends"])}
