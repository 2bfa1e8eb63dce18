"""Play the notes of speakers through the graphs, each distinct window once, and cache the result, one file a speaker."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.corpora import LABELS, find_audio, read_signal
from training.data.cached import Features
from training.data.copies import normalise
from training.data.files import write_arrays
from training.sounds.augment import pass_opus
from training.studies.voice_notes.cuts import cut_windows, find_speech, measure_overlap
from training.studies.voice_notes.notes import Note, Signal, build_note, draw_utterances, mix_note, trim_utterance
from training.studies.voice_notes.tasks import MIXED, OPUS, OPUS_BPS, OPUS_SNR_DB, SEED, Task, list_tasks
from worker.audio.windows import Window
from worker.scoring.onnx_runtime import ort

MIN_SPEECH_SAMPLES = 8000
Pieces = list[tuple[str, Signal]]


@dataclass(frozen=True)
class Encoded:
    """Every window of one speaker's notes.

    Attributes:
        statistics: float32 (n_distinct, 1024), of the encoder that was not trained on the speaker.
        speech: float64 (n_distinct,), the shipped gate's probability of speech.
        row: int64 (n_windows,), the row of `statistics` of each window.
        task: int64 (n_windows,), the place of its task in `list_tasks()`.
        window_ms: int64 (n_windows, 3): its length, what of it no earlier window covers, what of it our detector keeps.
        true_ms: int64 (n_windows, 4): true speech of each label in it.
        note_ms: int64 (n_notes, 2): length and true speech of each note.
    """

    statistics: NDArray[np.float32]
    speech: NDArray[np.float64]
    row: NDArray[np.int64]
    task: NDArray[np.int64]
    window_ms: NDArray[np.int64]
    true_ms: NDArray[np.int64]
    note_ms: NDArray[np.int64]


@dataclass(frozen=True)
class Graphs:
    """What a window is played through.

    Attributes:
        encoder: from `waveform` to statistics; it was not trained on the speaker.
        gate: the shipped graph, asked for `speech` alone.
    """

    encoder: ort.InferenceSession
    gate: ort.InferenceSession


class Encoder:
    """What the graphs say of windows, each distinct one computed once."""

    def __init__(self, graphs: Graphs) -> None:
        """Start with nothing computed."""
        self._graphs = graphs
        self._rows: dict[bytes, int] = {}
        self.statistics: list[NDArray[np.float32]] = []
        self.speech: list[float] = []

    def encode(self, signal: Signal) -> int:
        """Return the row in `statistics` and `speech` of a window, which is normalised as serving does."""
        prepared = normalise(signal)
        key = hashlib.sha256(prepared.tobytes()).digest()
        if key not in self._rows:
            self._rows[key] = len(self.statistics)
            self.statistics.append(self._graphs.encoder.run(None, {"waveform": prepared[None]})[0][0])
            self.speech.append(float(self._graphs.gate.run(["speech"], {"waveform": prepared[None]})[0][0]))
        return self._rows[key]


def make_note(pieces: Pieces, speaker: int, emotion: str, turn: int) -> Note:
    """Build one note of a speaker from a seed of its own.

    Args:
        pieces: label and trimmed signal of all the speaker's utterances.
        speaker: number of the speaker.
        emotion: a label, or `mixed`.
        turn: which note of that kind.
    """
    rng = np.random.default_rng([SEED, speaker, [*LABELS, MIXED].index(emotion), turn])
    used = [piece for piece in pieces if emotion in (MIXED, piece[0])]
    drawn = draw_utterances([label for label, _ in used], rng, is_mixed=emotion == MIXED)
    return build_note([used[i] for i in drawn], rng)


def play_note(note: Note, played: str) -> Signal:
    """Return the note as it is played in a task."""
    if played == OPUS:
        return pass_opus(mix_note(note, OPUS_SNR_DB), OPUS_BPS)
    return mix_note(note, float(played.removesuffix(" dB")))


def encode_speaker(pieces: Pieces, speaker: int, graphs: Graphs) -> Encoded:
    """Play all tasks of one speaker."""
    encoder = Encoder(graphs)
    rows: list[tuple[int, int]] = []
    times: list[list[int]] = []
    truths: list[list[int]] = []
    lengths: list[tuple[int, int]] = []
    tasks = list_tasks()
    for emotion, turn in dict.fromkeys((task.emotion, task.turn) for task in tasks):
        note = make_note(pieces, speaker, emotion, turn)
        lengths.append((note.duration_ms, sum(span.end_ms - span.start_ms for span in note.spans)))
        for played in dict.fromkeys(task.played for task in tasks if (task.emotion, task.turn) == (emotion, turn)):
            signal = play_note(note, played)
            ours = [(s.start_ms, s.end_ms) for s in find_speech("ours", signal, note.spans)]
            mine = [(i, t) for i, t in enumerate(tasks) if (t.emotion, t.turn, t.played) == (emotion, turn, played)]
            for index, window in _cut_all(mine, signal, note):
                rows.append((encoder.encode(window.signal), index))
                times.append([window.speech_ms, window.new_speech_ms, measure_overlap(window, ours)])
                truths.append([_measure_label(window, note, label) for label in LABELS])
    statistics = np.stack(encoder.statistics)
    row, task = np.array(rows, dtype=np.int64).T
    speech = np.array(encoder.speech)
    return Encoded(statistics, speech, row, task, np.array(times), np.array(truths), np.array(lengths))


def read_pieces(view: Features, files: Mapping[str, Path], speaker: str) -> Pieces:
    """Read and trim the utterances of a speaker that the clean copy holds, so that defects stay out."""
    chosen = np.flatnonzero(view.speakers == speaker)
    pieces = [(str(view.kinds[i]), trim_utterance(read_signal(files[str(view.names[i])]))) for i in chosen]
    return [(label, signal) for label, signal in pieces if signal.size >= MIN_SPEECH_SAMPLES]


def encode_speakers(
    speakers: Sequence[str], view: Features, *, corpus: Path, graphs: Callable[[str], Graphs], folder: Path
) -> dict[str, Encoded]:
    """Return every speaker's windows, computing what is not in the folder yet.

    Args:
        speakers: CREMA-D's numbers.
        view: the clean copy, which says whose utterances are whole.
        corpus: folder of CREMA-D audio.
        graphs: gives what a speaker's windows are played through.
        folder: for what was computed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {path.stem: path for path in find_audio(corpus)}
    encoded: dict[str, Encoded] = {}
    for speaker in speakers:
        path = folder / f"{speaker}.npz"
        if not path.exists():
            write_arrays(path, vars(encode_speaker(read_pieces(view, files, speaker), int(speaker), graphs(speaker))))
        with np.load(path) as held:
            encoded[speaker] = Encoded(**{name: held[name] for name in Encoded.__dataclass_fields__})
    return encoded


def _cut_all(tasks: Iterable[tuple[int, Task]], signal: Signal, note: Note) -> list[tuple[int, Window]]:
    return [
        (index, window)
        for index, task in tasks
        for window in cut_windows(find_speech(task.finder, signal, note.spans), task.window_ms)
    ]


def _measure_label(window: Window, note: Note, label: str) -> int:
    return measure_overlap(window, [(span.start_ms, span.end_ms) for span in note.spans if span.label == label])
