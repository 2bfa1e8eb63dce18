"""Windows cover every millisecond of speech, know where it was, and count none of it twice as new."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.audio.vad import SpeechSegment
from worker.audio.windows import Window, WindowConfig, WindowCutter


def make_segments(*spans: tuple[int, int]) -> list[SpeechSegment]:
    """Segments whose samples are all different: sample n of the recording is n."""
    return [SpeechSegment(start, end, np.arange(start * 16, end * 16, dtype=np.float32)) for start, end in spans]


def cut(segments: list[SpeechSegment], config: WindowConfig | None = None) -> list[Window]:
    cutter = WindowCutter(config)
    return [window for segment in segments for window in cutter.feed(segment)] + cutter.flush()


def test_no_speech_has_no_windows() -> None:
    assert cut([]) == []


def test_speech_shorter_than_a_window_is_one_window() -> None:
    (window,) = cut(make_segments((100, 2100), (5000, 5300)))

    assert window.spans == ((100, 2100), (5000, 5300))
    assert (window.start_ms, window.end_ms) == (100, 5300)
    assert (window.speech_ms, window.new_speech_ms) == (2300, 2300)


def test_speech_shorter_than_a_tail_is_kept_too() -> None:
    (window,) = cut(make_segments((0, 60)))

    assert window.speech_ms == 60


def test_a_long_tail_is_a_shorter_window() -> None:
    windows = cut(make_segments((0, 9000)))

    assert [(window.spans, window.new_speech_ms) for window in windows] == [
        (((0, 8000),), 8000),
        (((8000, 9000),), 1000),
    ]


def test_a_short_tail_moves_the_last_window_back() -> None:
    windows = cut(make_segments((0, 8500), (10_000, 10_400)))

    assert [window.spans for window in windows] == [((0, 8000),), ((900, 8500), (10_000, 10_400))]
    assert [window.new_speech_ms for window in windows] == [8000, 900]
    assert windows[1].speech_ms == 8000


def test_whole_windows_leave_no_tail() -> None:
    assert [window.spans for window in cut(make_segments((0, 16_000)))] == [((0, 8000),), ((8000, 16_000),)]


def test_pieces_of_one_segment_make_one_span() -> None:
    (window,) = cut(make_segments((0, 2000), (2000, 4000)))

    assert window.spans == ((0, 4000),)


def test_overlapping_windows_count_what_is_new() -> None:
    windows = cut(make_segments((0, 13_000)), WindowConfig(hop_ms=4000))

    assert [window.spans for window in windows] == [((0, 8000),), ((4000, 12_000),), ((8000, 13_000),)]
    assert [window.new_speech_ms for window in windows] == [8000, 4000, 1000]


lengths = st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 25_000)), max_size=12)
configs = st.tuples(st.integers(200, 8000), st.integers(1, 100), st.integers(0, 100)).map(
    lambda parts: WindowConfig(
        window_ms=parts[0],
        hop_ms=max(50, parts[0] * parts[1] // 100),
        min_tail_ms=parts[0] * parts[2] // 100,
    )
)


@settings(deadline=None)
@given(lengths=lengths, config=configs)
def test_windows_cover_all_speech_and_nothing_else(lengths: list[tuple[int, int]], config: WindowConfig) -> None:
    spans, at = [], 0
    for pause_ms, speech_ms in lengths:
        spans.append((at + pause_ms, at + pause_ms + speech_ms))
        at += pause_ms + speech_ms
    speech = np.zeros(at + 1, dtype=np.bool_)
    for start, end in spans:
        speech[start:end] = True
    covered = np.zeros_like(speech)

    for window in cut(make_segments(*spans), config):
        expected = [np.arange(start * 16, end * 16, dtype=np.float32) for start, end in window.spans]
        assert np.array_equal(window.signal, np.concatenate(expected))
        assert window.speech_ms == sum(end - start for start, end in window.spans) <= config.window_ms
        n_new = sum(int((~covered[start:end]).sum()) for start, end in window.spans)
        assert window.new_speech_ms == n_new > 0
        for start, end in window.spans:
            assert speech[start:end].all()
            covered[start:end] = True

    assert np.array_equal(covered, speech)


@settings(deadline=None)
@given(lengths=lengths, config=configs, piece_ms=st.integers(40, 5000))
def test_feeding_segments_in_pieces_changes_nothing(
    lengths: list[tuple[int, int]], config: WindowConfig, piece_ms: int
) -> None:
    spans, pieces, at = [], [], 0
    for pause_ms, speech_ms in lengths[:5]:
        start, end = at + pause_ms, at + pause_ms + speech_ms
        spans.append((start, end))
        pieces += [(here, min(here + piece_ms, end)) for here in range(start, end, piece_ms)]
        at = end

    whole, parts = cut(make_segments(*spans), config), cut(make_segments(*pieces), config)

    assert [(w.spans, w.new_speech_ms) for w in parts] == [(w.spans, w.new_speech_ms) for w in whole]
    assert all(np.array_equal(one.signal, other.signal) for one, other in zip(parts, whole, strict=True))


def test_memory_stays_flat_over_hours_of_speech() -> None:
    cutter = WindowCutter()

    for second in range(0, 7200, 20):
        cutter.feed(SpeechSegment(second * 1000, (second + 20) * 1000, np.zeros(20 * 16_000, dtype=np.float32)))
        assert len(cutter._signal) <= 28 * 16_000
        assert len(cutter._spans) <= 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window_ms": 0}, "window_ms is 0"),
        ({"hop_ms": 8001}, "hop_ms is 8001, allowed are 1 to window_ms \\(8000\\)"),
        ({"hop_ms": 0}, "hop_ms is 0"),
        ({"min_tail_ms": 9000}, "min_tail_ms is 9000"),
    ],
)
def test_a_setting_out_of_range_is_named(changes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WindowConfig(**changes)
