"""A note's page: what is unusual first, the file's own clock, and sound only where it was handed in."""

import base64
import re
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from db.notes import AppNote, NoteStatus
from db.people_rows import RelativeResult
from db.reasons import BaselineState
from db.rows import Segment
from pictures.note import Envelope, NotePage, Sound
from pictures.note_figures import draw_note, list_speech
from pictures.note_words import say_movement, say_note, say_relative, say_when
from pictures.pages import render_note
from pictures.person_figures import WIDTHS

VOICE = {
    "pitch_median_hz": 187.4,
    "pitch_spread_semitones": 2.63,
    "level_spread_db": 5.12,
    "onsets_per_s": 3.94,
    "pause_share": 0.125,
    "speaking_share": 0.667,
}
HEARD = {"anger": 0.1, "happiness": 0.2, "neutral": 0.5, "sadness": 0.2}


def a_note(**others):
    known = {
        "id": 12,
        "subject": "ana",
        "recorded_at": datetime(2026, 3, 2, 8, 15, tzinfo=UTC),
        "recorded_at_precision": "second",
        "recorded_at_source": "key",
        "utc_offset_min": 60,
        "recorded_at_zone": "Europe/Berlin",
        "local_day": date(2026, 3, 2),
        "uploaded_at": datetime(2026, 3, 2, 9, tzinfo=UTC),
        "status": NoteStatus.SCORED,
        "reason": None,
        "label": "neutral",
        "confidence": 0.5,
        "is_uncertain": True,
        "scores": HEARD,
        "slope_per_min": dict.fromkeys(HEARD),
        "arousal": None,
        "valence": None,
        "speech_ms": 20_000,
        "duration_ms": 30_000,
        "model_name": "speech-emotion",
        "model_version": "0.6.0",
        "scored_at": datetime(2026, 3, 3, tzinfo=UTC),
    }
    return AppNote(**dict.fromkeys(AppNote.__dataclass_fields__) | known | others)


def a_page(**others):
    segments = tuple(
        Segment(start_ms=at, end_ms=at + 8000, speech_ms=7000, scores=HEARD) for at in (1000, 9000, 20_000)
    )
    return NotePage(**{"note": a_note(), "tenant": "default", "segments": segments, **others})


def related(**others):
    known = {
        "recording_id": 12,
        "model_id": 1,
        "baseline_id": 3,
        "state": BaselineState.PERSONAL,
        "n_notes": 9,
        "scores": {"anger": 0.1, "happiness": 0.1, "neutral": 0.2, "sadness": 0.6},
        "label": "sadness",
        "confidence": 0.6,
        "is_uncertain": False,
        "related_at": datetime(2026, 3, 3, tzinfo=UTC),
    }
    return RelativeResult(**dict.fromkeys(RelativeResult.__dataclass_fields__) | known | others)


def test_what_is_unusual_comes_before_what_the_model_hears():
    page = a_page(relative=related())

    assert say_note(page) == (
        "Relative to this person: mostly sadness (.60). As the model hears it: mostly neutral (.50), but it is not sure."
    )
    assert say_relative(page) == "Relative scores compare with 9 earlier notes of this person."


def test_too_few_notes_are_said_and_not_drawn():
    page = a_page(
        relative=related(
            scores=None, label=None, confidence=None, is_uncertain=None, n_notes=2, state=BaselineState.INSUFFICIENT
        )
    )

    assert say_note(page).startswith("The model hears mostly neutral")
    assert "2 before this one" in say_relative(page)
    assert 'class="relative"' not in render_note(page)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (NoteStatus.NO_SPEECH, "Too little speech"),
        (NoteStatus.FAILED, "could not be scored: TRUNCATED."),
        (NoteStatus.CANCELLED, "was cancelled: TRUNCATED."),
        (NoteStatus.PENDING, "not scored yet"),
    ],
)
def test_a_note_without_scores_says_why(status, words):
    note = a_note(status=status, reason="TRUNCATED", scores=None, label=None, slope_per_min=None, duration_ms=None)

    html = render_note(NotePage(note=note, tenant="default"))

    assert words in html
    assert '<svg class="wide"' not in html


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({}, "on 2 Mar 2026 at 09:15 (UTC+01:00)"),
        ({"utc_offset_min": None}, "on 2 Mar 2026 at 08:15 UTC"),
        ({"recorded_at_precision": "day"}, "on 2 Mar 2026"),
        ({"recorded_at": None, "local_day": None}, "at an unknown time"),
    ],
)
def test_times_are_those_of_the_recorders_clock_no_finer_than_known(others, words):
    assert say_when(NotePage(note=a_note(**others), tenant="default")) == words


def test_a_short_note_has_no_slope_and_a_long_one_has():
    assert say_movement(a_page()) == "A note of fewer than ten windows has no slope."
    long = replace(a_page(), note=a_note(slope_per_min={"sadness": 0.031, "anger": None}))
    assert say_movement(long) == "Change in a minute: sadness +0.03."


def test_speech_is_as_found_in_the_sound_or_what_the_segments_cover():
    assert list_speech(a_page()) == [(1000, 17_000), (20_000, 28_000)]
    envelope = Envelope(duration_ms=30_000, peaks=(0.1, 0.5), speech=((1200, 8000),))
    assert list_speech(a_page(envelope=envelope)) == [(1200, 8000)]


@pytest.mark.parametrize("width", WIDTHS)
def test_each_segment_has_a_bar_for_each_label_at_its_own_time(width):
    page = a_page(envelope=Envelope(duration_ms=30_000, peaks=(0.1, 0.5, 0.0), speech=((1200, 8000),)))

    figure = draw_note(page, width=width)

    bars = [mark for mark in figure.marks if mark.kind.startswith("score")]
    assert len(bars) == len(page.segments) * len(HEARD)
    assert len({mark.place["x"] for mark in bars}) == len(page.segments)
    assert sum(mark.kind == "score highest" for mark in bars) == len(page.segments)
    assert [mark.kind for mark in figure.marks].count("wave") == 1


def test_sound_is_embedded_whole_where_it_was_handed_in():
    html = render_note(a_page(sound=Sound(media_type="audio/ogg", content=b"OggS\x00\x01")))

    found = re.search(r'src="data:audio/ogg;base64,([^"]+)"', html)
    assert base64.b64decode(found[1].replace("&#43;", "+")) == b"OggS\x00\x01"
    assert "<audio" not in render_note(a_page())
    assert "A browser cannot play AMR." in render_note(a_page(sound_words="A browser cannot play AMR."))
