"""Figures of a note on the file's clock: its waveform with speech, and the scores of its segments."""

from __future__ import annotations

from collections.abc import Iterator

from pictures.axes import Scale
from pictures.marks import Figure, Mark, Plot, line, path, rect, words
from pictures.note import NotePage
from pictures.note_words import say_clock

_WAVE_HEIGHT = 76
_LANE_HEIGHT = 44
_GAP = 10
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_TICK_WIDTH = 46


def draw_note(page: NotePage, *, width: int) -> Figure:
    """Draw waveform and speech where they are known, and a lane of scores for each label."""
    plot = Plot(left=84, right=width - 10, top=6, bottom=0)
    clock = Scale(first=0, last=page.duration_ms, start=plot.left, end=plot.right)
    labels = list(page.note.scores or {})
    wave_height = 0 if page.envelope is None else _WAVE_HEIGHT + _GAP
    bottom = plot.top + wave_height + len(labels) * (_LANE_HEIGHT + _GAP)
    spans = list_speech(page)
    marks = [rect("speech", clock(start), plot.top, clock(end), bottom, title="speech") for start, end in spans]
    marks += _draw_clock(clock, bottom, page.duration_ms)
    if page.envelope is not None:
        marks.append(words("label", 0, plot.top + _WAVE_HEIGHT / 2 + 4, "sound"))
        marks.append(_draw_wave(page.envelope.peaks, plot, plot.top + _WAVE_HEIGHT / 2))
    for place, label in enumerate(labels):
        top = plot.top + wave_height + place * (_LANE_HEIGHT + _GAP)
        marks += _draw_lane(page, label, clock, top=top)
    return Figure(
        name=f"note-{width}",
        title="The note on its own clock: " + ("sound, speech and scores" if page.envelope else "speech and scores"),
        text=_say_figure(page, len(spans)),
        width=width,
        height=int(bottom + 24),
        marks=tuple(marks),
    )


def list_speech(page: NotePage) -> list[tuple[int, int]]:
    """Return where speech is: as it was found in the sound, else the spans of the segments, those that touch as one."""
    if page.envelope is not None:
        return list(page.envelope.speech)
    joined: list[tuple[int, int]] = []
    for segment in sorted(page.segments, key=lambda one: one.start_ms):
        if joined and segment.start_ms <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], segment.end_ms))
        else:
            joined.append((segment.start_ms, segment.end_ms))
    return joined


def _draw_wave(peaks: tuple[float, ...], plot: Plot, middle: float) -> Mark:
    reach = _WAVE_HEIGHT / 2
    # Scaled to the loudest part: a quiet recording has a shape too.
    loudest = max(*peaks, 0.01) if peaks else 1.0
    step = (plot.right - plot.left) / max(len(peaks), 1)

    def edge(side: int) -> Iterator[tuple[float, float]]:
        for place, peak in enumerate(peaks):
            yield plot.left + (place + 0.5) * step, middle + side * max(peak / loudest * reach, 0.4)

    return path("wave", [*edge(-1), *reversed(list(edge(1)))], is_closed=True)


def _draw_lane(page: NotePage, label: str, clock: Scale, *, top: float) -> list[Mark]:
    bottom = top + _LANE_HEIGHT
    marks = [
        words("label", 0, top + _LANE_HEIGHT / 2 + 4, label),
        line("grid", clock.start, top, clock.end, top),
        line("axis-soft", clock.start, bottom, clock.end, bottom),
    ]
    for segment in page.segments:
        score = segment.scores.get(label, 0.0)
        is_highest = label == max(segment.scores, key=segment.scores.__getitem__)
        title = f"{say_clock(segment.start_ms)} to {say_clock(segment.end_ms)}: {label} {score:.2f}"
        kind = "score highest" if is_highest else "score"
        height = max(score * _LANE_HEIGHT, 1)
        marks.append(rect(kind, clock(segment.start_ms), bottom - height, clock(segment.end_ms), bottom, title=title))
    return marks


def _draw_clock(clock: Scale, bottom: float, duration_ms: int) -> list[Mark]:
    n_most = max(int((clock.end - clock.start) / _TICK_WIDTH), 1)
    step_s = next((step for step in _STEPS_S if duration_ms / 1000 / step <= n_most), _STEPS_S[-1])
    marks = [line("axis", clock.start, bottom, clock.end, bottom)]
    for second in range(0, duration_ms // 1000 + 1, step_s):
        at = clock(second * 1000)
        marks.append(line("axis", at, bottom, at, bottom + 4))
        is_last = at > clock.end - _TICK_WIDTH / 3
        marks.append(words("tick", at, bottom + 17, say_clock(second * 1000), anchor="end" if is_last else "middle"))
    return marks


def _say_figure(page: NotePage, n_spans: int) -> str:
    length = f"{say_clock(page.duration_ms)} minutes with {n_spans} stretches of speech"
    return f"{length} and {len(page.segments)} scored segments; the table beneath has each segment."
