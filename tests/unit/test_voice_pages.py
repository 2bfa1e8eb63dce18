"""Measures of the voice on pages: in words first, with their units, apart from the labels, and missing ones named."""

import re
from dataclasses import replace

import numpy as np
import pytest

from pictures.collect_person import collect_person
from pictures.pages import render_note, render_people, render_person
from pictures.person_figures import WIDTHS, draw_measure
from pictures.person_words import list_states, say_name, say_state, say_why
from pictures.voice_words import VOICE_WORDS, say_value
from tests.unit.persons import SETTINGS, USUAL_VOICE, a_person, with_voice
from tests.unit.test_note_page import VOICE, a_note, a_page
from tests.unit.test_people_voice import N_DAYS, engine, fill, speak  # noqa: F401 - a fixture
from tests.unit.test_person_page import read
from trends import VOICE_MEASURES, TrendState, find_measure


@pytest.fixture(scope="module")
def page():
    return with_voice(a_person())


@pytest.fixture(scope="module")
def pauses(page):
    return next(measure for measure in page.voice if measure.name == "pause_share")


def test_a_shift_is_told_in_the_words_of_its_measure(pauses):
    assert pauses.trend.state is TrendState.SHIFTED_UP
    assert re.fullmatch(
        r"more pauses than is usual for this person, since about \d+ Apr\.", say_state(pauses, SETTINGS)
    )
    fallen = replace(pauses, trend=replace(pauses.trend, state=TrendState.SHIFTED_DOWN))
    assert say_state(fallen, SETTINGS).startswith("fewer pauses than is usual for this person")


def test_the_numbers_behind_a_state_are_in_the_unit_of_the_measure(page, pauses):
    usual, recent = (
        find_measure("pause_share").from_level(level)
        for level in (pauses.trend.baseline.mean, pauses.trend.recent.level)
    )

    assert f"days {recent:.0%}, usual {usual:.0%}:".replace("%", " %") in say_why(pauses, SETTINGS)
    pitch = next(measure for measure in page.voice if measure.name == "pitch_median_hz")
    assert re.search(r"usual \d{3} Hz:", say_why(pitch, SETTINGS))


@pytest.mark.parametrize("name", [*VOICE_MEASURES, "speaking_share"])
def test_every_measure_has_a_heading_and_a_value_in_words(name):
    assert "_" not in say_name(name)
    assert say_name(name) != name.replace("_", " ").capitalize()
    assert re.fullmatch(r"[\d.]+ (Hz|semitones|dB|a second|%)", say_value(name, VOICE[name]))


def test_the_voice_comes_after_the_labels_in_a_section_of_its_own(page):
    text = read(render_person(page)).text

    assert (
        text.index("Table of days, sadness") < text.index("How the voice sounds") < text.index("Table of days, pitch")
    )
    assert text.lower().count("more pauses than is usual for this person") >= 2, "as a sentence, and above its picture"
    assert "need no model of emotions" in text


def test_a_page_without_measures_has_no_such_section():
    assert "How the voice sounds" not in render_person(a_person())


def test_labels_and_voice_are_told_apart_where_either_lacks_days():
    page = with_voice(a_person(n_days=5))

    lacking = [("All measures", "too few notes yet: 5 of 60 days.", "insufficient")]
    assert list_states(page.voice, page.settings) == lacking
    assert "Too few notes yet: 5 of 60 days." in render_person(page)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", USUAL_VOICE)
def test_an_axis_has_round_values_of_the_measure_at_their_levels(page, name, width):
    measure = next(measure for measure in page.voice if measure.name == name)

    figure = draw_measure(measure, page, width=width)

    ticks = [mark for mark in figure.marks if mark.kind == "tick" and mark.place["text-anchor"] == "end"]
    values = [float(mark.text.removesuffix(" %")) for mark in ticks]
    heights = [float(mark.place["y"]) for mark in ticks]
    assert len(values) >= 2
    assert values == sorted(set(values))
    assert heights == sorted(heights, reverse=True)
    dots = [float(mark.place["cy"]) for mark in figure.marks if mark.kind == "day"]
    shown = [day.level for day in sorted(measure.days, key=lambda day: day.day) if day.level is not None]
    slope, start = np.polyfit(shown, dots, 1)
    scale = 0.01 if name == "pause_share" else 1
    levels = [find_measure(name).to_level(value * scale) for value in values]
    assert [start + slope * level for level in levels] == pytest.approx([y - 4 for y in heights], abs=0.5)


def test_each_day_is_in_the_table_with_its_value(page, pauses):
    text = read(render_person(page)).text

    for day in pauses.days:
        if day.level is not None:
            assert (
                f"{day.day.isoformat()}{say_value('pause_share', find_measure('pause_share').from_level(day.level))}"
                in text
            )


def test_what_is_kept_of_a_voice_is_on_the_page_and_not_among_the_labels(engine):  # noqa: F811
    rng = np.random.default_rng(2)
    fill(engine, voices=[speak(rng, day) for day in range(N_DAYS)])

    page = collect_person(engine, "default", "anna")

    assert [measure.name for measure in page.measures] == ["anger", "happiness", "neutral", "sadness"]
    assert [measure.name for measure in page.voice] == list(VOICE_MEASURES)
    assert "A higher voice than is usual for this person, since about" in read(render_person(page)).text


def test_of_several_persons_each_has_its_own_voice(page):
    text = read(render_people([page, a_person(n_days=5, subject="ben", mix=None)], title="Two", remark="Made up.")).text

    assert text.count("How the voice sounds") == 1


def test_a_note_names_its_measures_with_their_units_and_the_missing_ones_too():
    short = {name: VOICE[name] for name in ("pause_share", "speaking_share", "onsets_per_s")}

    whole = read(render_note(a_page(note=a_note(voice=VOICE)))).text
    text = read(render_note(a_page(note=a_note(voice=short)))).text

    for name, value in VOICE.items():
        row = f"{say_name(name)} {VOICE_WORDS[name].meaning}{say_value(name, value)}"
        assert row in re.sub(r"\n\s*", "", whole)
        assert say_name(name) in text
    assert "too little speech" not in whole
    assert text.count("too little speech") == len(VOICE) - len(short)


def test_a_note_of_an_earlier_release_says_so_and_one_without_scores_says_nothing():
    assert "an earlier release" in render_note(a_page(note=a_note(voice=None)))
    pending = a_note(voice=None, scores=None, label=None, slope_per_min=None)
    assert "How the voice sounds" not in render_note(a_page(note=pending, segments=()))
