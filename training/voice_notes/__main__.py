"""Run the voice-note experiment: encode what is missing, print its protocol and its tables, draw its picture."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from training.corpora import LABELS
from training.features import load_features
from training.folds import assign_folds
from training.voice_notes import tables
from training.voice_notes.judge import Judged, fit_heads, judge_speakers
from training.voice_notes.mixed import tabulate_mixed
from training.voice_notes.outcomes import NO_SCORE, measure_share
from training.voice_notes.picture import Row, draw_bars
from training.voice_notes.plan import PROTOCOL, SEED, SNR_DB, choose_speakers
from training.voice_notes.run import encode_speakers

PICTURED = {"none": "no detector", "energy": "energy trim", "webrtc3": "WebRTC 3", "ours": "ours", "oracle": "oracle"}


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crema-d", type=Path, required=True, help="folder of CREMA-D audio")
    parser.add_argument("--features", type=Path, required=True, help="folder that training.features filled")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for windows, heads and picture; resumes from it"
    )
    parser.add_argument("--speakers-per-fold", type=int, default=2, help="about 30 s of one core a speaker")
    return parser.parse_args()


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


def main() -> None:
    """Run the experiment."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arguments = parse_arguments()
    view = load_features(arguments.features, "clean")
    folds = assign_folds(view.speakers.tolist())
    speakers = choose_speakers(folds, per_fold=arguments.speakers_per_fold)
    model = arguments.features / "encoder-int8.onnx"
    encoded = encode_speakers(speakers, view, corpus=arguments.crema_d, model=model, folder=arguments.out)
    judged = judge_speakers(encoded, fit_heads(arguments.features, arguments.out / "heads.pt"), folds)
    print(
        PROTOCOL.format(
            speakers=len(speakers),
            per_fold=arguments.speakers_per_fold,
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
    (arguments.out / "voice-notes.svg").write_text(picture(judged), encoding="utf-8")


if __name__ == "__main__":
    main()
