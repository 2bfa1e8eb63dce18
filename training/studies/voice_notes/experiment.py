"""The voice-note experiment: encode what is missing, print its protocol and its tables, draw its picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from training.bundle.encoder import INT8_ENCODER
from training.bundle.graph import open_session
from training.bundle.publish import INT8_GRAPH
from training.bundle.stages import GRAPH, find_result
from training.corpora import LABELS
from training.data.cached import Features, load_features
from training.data.copies import CLEAN
from training.fitting.plan import Plan, read_plan
from training.fitting.targets import assign_first_folds
from training.fitting.tuned import load_head
from training.measures.pictures import draw_stacks
from training.screen import say
from training.studies.evaluation import EVALUATION_FOLDER, INT8, NET, read_figures
from training.studies.voice_notes import tables
from training.studies.voice_notes.encode import Graphs, encode_speakers
from training.studies.voice_notes.scores import NO_SCORE, Judged, judge_speakers, measure_share
from training.studies.voice_notes.tasks import PROTOCOL, SEED, SNR_DB, choose_speakers

PICTURED = {"none": "no detector", "energy": "energy trim", "webrtc3": "WebRTC 3", "ours": "ours", "oracle": "oracle"}


@dataclass(frozen=True)
class Nets:
    """What an evaluation left behind.

    Attributes:
        means: by fold, the folder of the net that was not trained on its speakers, with its head.
        encoders: by fold, the folder of its int8 encoder.
        shipped: the finished int8 graph, whose gate is asked; it was trained on the speakers' clips, and on no note's noise.
        temperature: of the calibration.
        clean: the windows of the clean copy, which say whose utterances are whole.
    """

    means: Mapping[int, Path]
    encoders: Mapping[int, Path]
    shipped: Path
    temperature: float
    clean: Features


def describe_notes(judged: dict[str, Judged]) -> str:
    """Say how many notes there are, how long they are and how much of them is speech."""
    lengths = [row for item in judged.values() for row in item.encoded.note_ms.tolist()]
    total_ms, speech_ms = (sum(column) for column in zip(*lengths, strict=True))
    return f"{len(lengths)} notes, mean length {total_ms / len(lengths) / 1000:.1f} s, speech {speech_ms / total_ms:.2f} of it"


def picture(judged: dict[str, Judged]) -> str:
    """Draw what windows are called by how much speech they hold, and what notes are called by detector."""
    dose = [
        (f"speech: {name}", [*tables.count_guesses(windows)[: len(LABELS)].tolist(), 0.0])
        for name, windows in zip(tables.BIN_NAMES[:-1], tables.bin_windows(judged)[:-1], strict=True)
    ]
    notes = []
    for finder, name in PICTURED.items():
        outcomes = tables.collect_all(judged, finder)
        notes.append((name, [measure_share(outcomes, label) for label in (*range(len(LABELS)), NO_SCORE)]))
    return draw_stacks(
        (*LABELS, "no score"),
        [("8 s windows without a detector, called ... (all SNR)", dose), ("notes, a quarter each, called ...", notes)],
    )


def load_nets(run: Path, plan: Plan) -> Nets:
    """Return the nets of an evaluated run.

    Raises:
        FileNotFoundError: `tonalog evaluate default` did not measure it to its end.
    """
    figures = read_figures(run)
    if figures is None:
        raise FileNotFoundError(f"{run} was not measured to its end; `tonalog evaluate default {run}` does it")
    evaluation, find = figures["evaluation"], partial(find_result, plan, run, run / EVALUATION_FOLDER)
    return Nets(
        {fold: find(f"{NET} {fold}") for fold in evaluation["folds"]},
        {fold: find(f"{INT8} {fold}") for fold in evaluation["folds"]},
        find_result(plan, run, run, GRAPH) / INT8_GRAPH,
        plan.stages.calibration.temperature,
        load_features(find(CLEAN.name)),
    )


def run_experiment(run: Path, *, out: Path, speakers_per_fold: int, crema_d: Path | None = None) -> None:
    """Build the notes, judge them by every detector, window and pooling, print the tables and draw `voice-notes.svg`.

    Args:
        run: folder that `tonalog evaluate default` measured; each note is scored by the net of its speaker's fold.
        out: folder for windows and picture; what is there is used again.
        speakers_per_fold: 1 or more.
        crema_d: folder of CREMA-D audio, where it has moved.

    Raises:
        FileNotFoundError: as `load_nets`.
    """
    plan = read_plan(run)
    corpus, nets = crema_d or Path(plan.corpora[0][1]), load_nets(run, plan)
    view = nets.clean
    folds = {s: fold for s, fold in assign_first_folds(view.speakers.tolist()).items() if fold in nets.means}
    speakers = choose_speakers(folds, per_fold=speakers_per_fold)
    gate = open_session(nets.shipped)

    def open_graphs(speaker: str) -> Graphs:
        return Graphs(open_session(nets.encoders[folds[speaker]] / INT8_ENCODER), gate)

    encoded = encode_speakers(speakers, view, corpus=corpus, graphs=open_graphs, folder=out)
    heads = {speaker: load_head(nets.means[folds[speaker]]) for speaker in speakers}
    judged = judge_speakers(encoded, heads, temperature=nets.temperature)
    say(
        PROTOCOL.format(
            speakers=len(speakers),
            per_fold=speakers_per_fold,
            folds=", ".join(map(str, sorted(nets.means))),
            seed=SEED,
            snr=", ".join(str(snr_db) for snr_db in SNR_DB),
        )
    )
    say(describe_notes(judged))
    for heading, make in (
        ("UA (8 s windows, mean probability)", tables.tabulate_ua),
        ("Labels given to the notes, all four SNR together", tables.tabulate_shares),
        ("Differences on the same notes, all four SNR together", tables.tabulate_differences),
        ("Neutral and sadness by SNR", tables.tabulate_bias),
        ("Labels given to windows without a detector, by true speech in them", tables.tabulate_dose),
        ("Length of windows, our detector", tables.tabulate_windows),
        ("Pooling", tables.tabulate_poolings),
        ("Mixed notes, 20 dB", tables.tabulate_mixed),
    ):
        say("", f"### {heading}", "", *make(judged).split("\n"))
    (out / "voice-notes.svg").write_text(picture(judged), encoding="utf-8")
