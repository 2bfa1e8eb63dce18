"""The voice-note experiment: encode what is missing, print its protocol and its tables, draw its picture."""

from __future__ import annotations

from pathlib import Path

from training.corpora import LABELS
from training.protocols.folds import assign_folds
from training.voice_notes import tables
from training.voice_notes.judge import Judged, fit_heads, judge_speakers
from training.voice_notes.mixed import tabulate_mixed
from training.voice_notes.outcomes import NO_SCORE, measure_share
from training.voice_notes.picture import Row, draw_bars
from training.voice_notes.plan import PROTOCOL, SEED, SNR_DB, choose_speakers
from training.voice_notes.run import encode_speakers
from training.whisper3.features import load_features

PICTURED = {"none": "no detector", "energy": "energy trim", "webrtc3": "WebRTC 3", "ours": "ours", "oracle": "oracle"}


def describe_notes(judged: dict[str, Judged]) -> str:
    """Say how many notes there are, how long they are and how much of them is speech."""
    lengths = [row for one in judged.values() for row in one.encoded.note_ms.tolist()]
    total_ms, speech_ms = (sum(column) for column in zip(*lengths, strict=True))
    return f"{len(lengths)} notes, mean length {total_ms / len(lengths) / 1000:.1f} s, speech {speech_ms / total_ms:.2f} of it"


def picture(judged: dict[str, Judged]) -> str:
    """Draw what windows are called by how much speech they hold, and what notes are called by detector."""
    dose: list[Row] = [
        (f"speech: {name}", [*tables.count_guesses(windows)[: len(LABELS)].tolist(), 0.0])
        for name, windows in zip(tables.BIN_NAMES[:-1], tables.bin_windows(judged)[:-1], strict=True)
    ]
    notes: list[Row] = []
    for finder, name in PICTURED.items():
        outcomes = tables.collect_all(judged, finder)
        notes.append((name, [measure_share(outcomes, label) for label in (*range(len(LABELS)), NO_SCORE)]))
    return draw_bars(
        [("8 s windows without a detector, called ... (all SNR)", dose), ("notes, a quarter each, called ...", notes)]
    )


def run_experiment(crema_d: Path, features: Path, *, out: Path, speakers_per_fold: int) -> None:
    """Build the notes, judge them by every detector, window and pooling, print the tables and draw `voice-notes.svg`.

    Args:
        crema_d: folder of CREMA-D audio.
        features: folder that `training.whisper3.features` filled from the frozen encoder.
        out: folder for windows, heads and picture; what is there is used again.
        speakers_per_fold: 1 or more.

    Raises:
        FileNotFoundError: a copy of the features was not computed yet.
    """
    view = load_features(features, "clean")
    folds = assign_folds(view.speakers.tolist())
    speakers = choose_speakers(folds, per_fold=speakers_per_fold)
    model = features / "encoder-int8.onnx"
    encoded = encode_speakers(speakers, view, corpus=crema_d, model=model, folder=out)
    judged = judge_speakers(encoded, fit_heads(features, out / "heads.pt"), folds)
    print(
        PROTOCOL.format(
            speakers=len(speakers),
            per_fold=speakers_per_fold,
            seed=SEED,
            snr=", ".join(str(snr_db) for snr_db in SNR_DB),
        )
    )
    print(describe_notes(judged))
    for heading, make in (
        ("UA (8 s windows, mean probability)", tables.tabulate_ua),
        ("Labels given to the notes, all four SNR together", tables.tabulate_shares),
        ("Differences on the same notes, all four SNR together", tables.tabulate_differences),
        ("Neutral and sadness by SNR", tables.tabulate_bias),
        ("Labels given to windows without a detector, by true speech in them", tables.tabulate_dose),
        ("Length of windows, our detector", tables.tabulate_windows),
        ("Pooling", tables.tabulate_poolings),
        ("Mixed notes, 20 dB", tabulate_mixed),
    ):
        print("", f"### {heading}", "", *make(judged), sep="\n", flush=True)
    (out / "voice-notes.svg").write_text(picture(judged), encoding="utf-8")
