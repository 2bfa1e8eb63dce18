"""The tables of the experiment in Markdown; every figure has its interval of 95 %."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from training.corpora import LABELS
from training.studies.voice_notes.cuts import FINDERS
from training.studies.voice_notes.scores import (
    NO_SCORE,
    POOLINGS,
    Judged,
    MixedOutcome,
    Outcome,
    WindowRow,
    collect_mixed,
    collect_outcomes,
    find_interval,
    list_windows,
    measure_mean_jitter,
    measure_share,
    measure_ua,
)
from training.studies.voice_notes.tasks import MIXED, OPUS, SNR_DB, WINDOW_MS, WINDOWS_MS, describe_snr
from training.tables import tabulate

PLAYED = tuple(describe_snr(snr_db) for snr_db in SNR_DB)
NAMES = {
    "none": "none",
    "energy": "energy trim, 20 dB",
    "webrtc0": "WebRTC 0",
    "webrtc1": "WebRTC 1",
    "webrtc2": "WebRTC 2",
    "webrtc3": "WebRTC 3",
    "ours": "**ours** (WebRTC 3, voicing gate)",
    "oracle": "oracle",
}
OPUS_FINDERS = ("none", "energy", "ours", "oracle")
SHARE_BINS = ((-1.0, 0.0), (0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0))
BIN_NAMES = ("none", "0 to 25 %", "25 to 50 %", "50 to 75 %", "75 to 100 %")
N_SHARES = len(LABELS) + 2
MIXED_WAYS = (
    *((finder, WINDOW_MS) for finder in ("none", "energy", "webrtc3", "ours", "oracle")),
    *(("ours", window_ms) for window_ms in WINDOWS_MS if window_ms != WINDOW_MS),
)
Judges = Mapping[str, Judged]
T = TypeVar("T")


def write_interval(
    rows: Sequence[T], speakers: Sequence[str], measure: Callable[[list[T]], float], form: str = ".2f"
) -> str:
    """Return a measure and its interval as text."""
    value, low, high = find_interval(rows, speakers, measure)
    return f"{value:{form}} [{low:{form}}, {high:{form}}]"


def describe(outcomes: Sequence[T], measure: Callable[[list[T]], float]) -> str:
    """Return a measure of notes and its interval as text."""
    return write_interval(outcomes, [outcome.speaker for outcome in outcomes], measure)  # type: ignore[attr-defined]


def collect(judged: Judges, finder: str, played: str, **how: object) -> list[Outcome]:
    """Return outcomes at 8 s and mean probability, unless `how` says otherwise."""
    chosen = {"window_ms": WINDOW_MS, "pooling": "mean", **how}
    return collect_outcomes(judged, played=played, finder=finder, **chosen)  # type: ignore[arg-type]


def collect_all(judged: Judges, finder: str, **how: object) -> list[Outcome]:
    """Return outcomes over all four ratios."""
    return [outcome for played in PLAYED for outcome in collect(judged, finder, played, **how)]


def list_ways() -> list[tuple[str, str, dict[str, object]]]:
    """List (name, finder, how) of every way of leaving non-speech out."""
    ways: list[tuple[str, str, dict[str, object]]] = [(NAMES[finder], finder, {}) for finder in FINDERS]
    further: list[tuple[str, str, dict[str, object]]] = [
        ("none + the model's speech gate", "none", {"is_gated": True}),
        ("none, windows weighted by seconds of speech", "none", {"pooling": "speech"}),
    ]
    return ways[:1] + further + ways[1:]


def tabulate_ua(judged: Judges) -> str:
    """UA of every way at every ratio."""
    rows = []
    for name, finder, how in list_ways():
        played = [*PLAYED, OPUS] if finder in OPUS_FINDERS else PLAYED
        cells = [describe(collect(judged, finder, item, **how), measure_ua) for item in played]
        rows.append([name, *cells, *["-"] * (len(PLAYED) + 1 - len(cells))])
    return tabulate(["non-speech left out by", *PLAYED, OPUS], rows)


def tabulate_shares(judged: Judges) -> str:
    """Share of each label among the notes' labels, all ratios together; a quarter of the notes are each."""
    rows = []
    for name, finder, how in list_ways():
        outcomes = collect_all(judged, finder, **how)
        cells = [describe(outcomes, partial(measure_share, label=label)) for label in (*range(len(LABELS)), NO_SCORE)]
        rows.append([name, *cells, describe(outcomes, measure_mean_jitter)])
    return tabulate(["non-speech left out by", *LABELS, "no score", "jitter"], rows)


def tabulate_bias(judged: Judges) -> str:
    """Share of neutral and of sadness at every ratio."""
    rows = []
    for finder in ("none", "energy", "webrtc3", "ours", "oracle"):
        for label in ("neutral", "sadness"):
            measure = partial(measure_share, label=LABELS.index(label))
            rows.append(
                [NAMES[finder], label, *(describe(collect(judged, finder, played), measure) for played in PLAYED)]
            )
    return tabulate(["non-speech left out by", "called", *PLAYED], rows)


def tabulate_differences(judged: Judges) -> str:
    """Differences between two ways on the same notes, all ratios together; the interval draws whole speakers."""
    ours = collect_all(judged, "ours")
    pairs = [(f"ours - {name}", ours, collect_all(judged, finder, **how)) for name, finder, how in list_ways()]
    pairs = [pair for pair in pairs if "**ours" not in pair[0]]
    pairs += [
        (f"ours, {window_ms / 1000:g} s - 8 s", collect_all(judged, "ours", window_ms=window_ms), ours)
        for window_ms in WINDOWS_MS[:-1]
    ]
    pairs += [(f"ours, {how} - mean", collect_all(judged, "ours", pooling=how), ours) for how in POOLINGS[1:]]
    measures: list[Callable[[list[Outcome]], float]] = [
        measure_ua,
        *(partial(measure_share, label=LABELS.index(label)) for label in ("neutral", "sadness")),
        measure_mean_jitter,
    ]
    rows = []
    for name, left, right in pairs:
        speakers = [outcome.speaker for outcome in left]
        cells = []
        for measure in measures:
            pairs_of_notes = [*zip(left, right, strict=True)]
            cells.append(write_interval(pairs_of_notes, speakers, partial(_subtract, measure), "+.2f"))
        rows.append([name, *cells])
    return tabulate(["difference", "UA", "called neutral", "called sadness", "jitter"], rows)


def _subtract(measure: Callable[[list[Outcome]], float], rows: list[tuple[Outcome, Outcome]]) -> float:
    return measure([left for left, _ in rows]) - measure([right for _, right in rows])


def tabulate_windows(judged: Judges) -> str:
    """UA and jitter of window lengths, with our detector."""
    rows = []
    for window_ms in WINDOWS_MS:
        cells = [describe(collect(judged, "ours", played, window_ms=window_ms), measure_ua) for played in PLAYED]
        every = collect_all(judged, "ours", window_ms=window_ms)
        rows.append(
            [f"{window_ms / 1000:g} s", *cells, describe(every, measure_ua), describe(every, measure_mean_jitter)]
        )
    return tabulate(["window", *PLAYED, "all four", "jitter"], rows)


def tabulate_poolings(judged: Judges) -> str:
    """UA of the ways of pooling."""
    rows = []
    for finder in ("none", "ours", "oracle"):
        for pooling in POOLINGS:
            cells = [describe(collect(judged, finder, played, pooling=pooling), measure_ua) for played in PLAYED]
            rows.append(
                [NAMES[finder], pooling, *cells, describe(collect_all(judged, finder, pooling=pooling), measure_ua)]
            )
    return tabulate(["detector", "pooling", *PLAYED, "all four"], rows)


def count_guesses(rows: Sequence[WindowRow]) -> NDArray[np.float64]:
    """Return the share of each label among windows, then those that are truly sadness and that the gate lets through."""
    n_rows = max(len(rows), 1)
    guesses = np.bincount([row.guess for row in rows], minlength=len(LABELS))
    n_sad = sum(row.truth == LABELS.index("sadness") for row in rows)
    return np.array([*guesses, n_sad, sum(row.is_passed for row in rows)]) / n_rows


def bin_windows(judged: Judges, played: Sequence[str] = PLAYED) -> list[list[WindowRow]]:
    """Group the windows of notes of one emotion that no detector cut, by how much true speech they hold."""
    windows = [row for row in list_windows(judged, "none") if row.task.played in played and row.task.emotion != MIXED]
    return [[row for row in windows if low < row.speech_share <= high] for low, high in SHARE_BINS]


def tabulate_dose(judged: Judges) -> str:
    """What windows are called, by how much speech they hold; with no speech also at each ratio."""
    groups = [*zip(BIN_NAMES, bin_windows(judged), strict=True)]
    groups[1:1] = [(f"none, at {played}", bin_windows(judged, (played,))[0]) for played in PLAYED]
    rows = []
    for name, windows in groups:
        if not windows:
            rows.append([name, "0", *["-"] * N_SHARES])
            continue
        speakers = [window.speaker for window in windows]
        cells = [write_interval(windows, speakers, partial(_pick, column=column)) for column in range(N_SHARES)]
        rows.append([name, str(len(windows)), *cells])
    return tabulate(["true speech in the window", "windows", *LABELS, "truly sadness", "passes the gate"], rows)


def _pick(rows: list[WindowRow], column: int) -> float:
    return float(count_guesses(rows)[column])


def tabulate_mixed(judged: Judges) -> str:
    """Windows called right, error of shares, shares of neutral and sadness, and jitter of mixed notes."""
    measures: list[Callable[[list[MixedOutcome]], float]] = [
        lambda notes: sum(note.n_right for note in notes) / max(sum(note.n_windows for note in notes), 1),
        lambda notes: float(np.mean([note.share_error for note in notes])),
        partial(_measure_called, label="neutral"),
        partial(_measure_called, label="sadness"),
        measure_mean_jitter,
    ]
    rows = []
    for finder, window_ms in MIXED_WAYS:
        outcomes = collect_mixed(judged, finder, window_ms)
        rows.append([NAMES[finder], f"{window_ms / 1000:g} s", *(describe(outcomes, measure) for measure in measures)])
    head = ["detector", "window", "windows right", "share error", "called neutral", "called sadness", "jitter"]
    return tabulate(head, rows)


def _measure_called(notes: list[MixedOutcome], label: str) -> float:
    called = np.sum([note.n_called for note in notes], axis=0)
    return float(called[LABELS.index(label)] / max(called.sum(), 1))
