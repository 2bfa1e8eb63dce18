"""Names everything that the template of a note's page asks for."""

from __future__ import annotations

import base64
from datetime import date
from typing import Any

from pictures.describe_person import in_widths
from pictures.note import NotePage, Sound
from pictures.note_figures import draw_note
from pictures.note_words import say_clock, say_movement, say_note, say_relative, say_when
from pictures.person import Mix
from pictures.person_figures import draw_mix
from pictures.voice_words import INTRODUCTION, OF_EARLIER, list_voice


def describe_note(page: NotePage) -> dict[str, Any]:
    """Return words, figures and rows of a note's page."""
    note = page.note
    labels = list(note.scores or {})
    relative = None if page.relative is None else page.relative.scores
    mix = None
    if note.scores is not None:
        day = note.local_day or date.min
        mix = Mix(first_day=day, last_day=day, n_notes=1, scores=note.scores, relative=relative)
    return {
        "page": page,
        "when": say_when(page),
        "model": None if note.model_name is None else f"{note.model_name}-{note.model_version}",
        "first": say_note(page),
        "relative_words": say_relative(page),
        "has_relative": relative is not None,
        "voice": list_voice(note.voice) if note.voice else [],
        "voice_words": None if note.scores is None else INTRODUCTION if note.voice else OF_EARLIER,
        "movement": say_movement(page),
        "mix": None if mix is None else in_widths(lambda width: draw_mix(mix, width=width)),
        "figure": in_widths(lambda width: draw_note(page, width=width)) if page.segments or page.envelope else None,
        "sound": None if page.sound is None else _as_address(page.sound),
        "head": ("from", "to", "seconds of speech", *labels),
        "rows": [
            (
                say_clock(segment.start_ms),
                say_clock(segment.end_ms),
                f"{segment.speech_ms / 1000:.1f}",
                *(f"{segment.scores.get(label, 0.0):.2f}" for label in labels),
            )
            for segment in page.segments
        ],
    }


def _as_address(sound: Sound) -> str:
    return f"data:{sound.media_type};base64,{base64.b64encode(sound.content).decode()}"
