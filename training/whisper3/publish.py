"""Fit the final heads on every speaker, export the int8 graph and write the bundle; it refuses a graph that fails its gates."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from training import metrics
from training.backbones.whisper_base import FACTS
from training.corpora import LABELS, load_crema_d
from training.export.graph import OPSET
from training.sounds.nonspeech import MAKERS, SAMPLING_RATE_HZ, make_sound
from training.whisper3.card import WHISPER_LICENCE, write_card
from training.whisper3.compare_int8 import MAX_UA_CHANGE, PADDED_SAMPLES, measure_batch_effect, measure_speed
from training.whisper3.copies import CLEAN, FRONT_END, Window, make_copy, normalise
from training.whisper3.evaluate import encode_labels
from training.whisper3.features import load_features, open_session
from training.whisper3.gate import GATE_COPIES, fit_speech_head, gather_speech
from training.whisper3.model import TwoHeads, assemble
from training.whisper3.tune.small import load_head
from worker.audio.vad import VadConfig
from worker.audio.windows import WindowConfig

log = logging.getLogger(__name__)
# A third of a second of speech: pre-roll and hangover make 690 ms of it, and 540 ms of a mere click.
MIN_SPEECH_MS = 700
NAME = "whisper3"
SEED = 0
CHECK_STEP = 20  # Every twentieth utterance checks the final pair of graphs.
N_FRESH = 20
FRESH_SEED = 97
CORPORA = [
    {"name": "CREMA-D", "use": "tuning of encoder layers 2 and 3, training of both heads", "licence": "ODbL-1.0"},
    {"name": "Whisper base encoder (OpenAI)", "use": "start weights", "licence": "MIT"},
    {"name": "synthesised non-speech sounds", "use": "training of the speech gate", "licence": "Apache-2.0"},
]
Outputs = tuple[NDArray[np.float32], NDArray[np.float32]]


def fit_final(features: Path, tuned: Path, temperature: float) -> TwoHeads:
    """Take the emotion head that was tuned with the encoder, and fit the speech head on every speaker."""
    views = {copy.name: load_features(features, copy.name) for copy in GATE_COPIES}
    keep = dict.fromkeys(views[CLEAN.name].speakers.tolist(), True)
    sounds = load_features(features, "nonspeech")
    speech = fit_speech_head(gather_speech(views, keep), sounds.statistics, seed=SEED)
    return TwoHeads(load_head(tuned), speech, temperature=temperature)


def score_padded(session: ort.InferenceSession, windows: list[Window]) -> Outputs:
    """Score windows as serving does: one at a time, zero-padded to 8 s."""
    rows = []
    for window in windows:
        padded = np.pad(window.signal, (0, PADDED_SAMPLES - window.signal.size))[None]
        rows.append(session.run(["probabilities", "speech"], {"waveform": padded}))
    return np.concatenate([row[0] for row in rows]), np.concatenate([row[1] for row in rows])


def check_pair(exact: Path, small: Path, windows: list[Window]) -> dict[str, Any]:
    """Compare the final graph with the same heads on the float32 encoder, as serving runs them, and print it."""
    sessions = {"float32": open_session(exact, threads=1), "int8": open_session(small, threads=1)}
    scored = {name: score_padded(session, windows) for name, session in sessions.items()}
    truth = encode_labels(np.array([window.kind for window in windows]))
    ua = {
        name: metrics.measure_unweighted_accuracy(
            metrics.count_confusion(truth, probabilities.argmax(axis=1), len(LABELS))
        )
        for name, (probabilities, _) in scored.items()
    }
    found = {
        "n_windows": len(windows),
        "ua_change_on_training_windows": round(ua["int8"] - ua["float32"], 4),
        "max_dp": round(float(np.abs(scored["int8"][0] - scored["float32"][0]).max()), 4),
        "max_dspeech": round(float(np.abs(scored["int8"][1] - scored["float32"][1]).max()), 4),
        "lowest_speech": round(float(scored["int8"][1].min()), 4),
        "batch_effect": measure_batch_effect(sessions["int8"]),
        "ms": {name: [round(wall, 1), round(cpu, 1)] for name, (wall, cpu) in measure_speed(sessions).items()},
        "megabytes": round(small.stat().st_size / 1e6, 2),
    }
    log.info("final graph against its float32 twin: %s", json.dumps(found))
    return found


def check_sounds(small: Path, threshold: float) -> dict[str, float]:
    """Return and print the share of freshly seeded sounds that the final graph accepts, by kind.

    Raises:
        SystemExit: white noise is accepted even once.
    """
    session = open_session(small, threads=1)
    accepted: dict[str, float] = {}
    for index, kind in enumerate(sorted(MAKERS)):
        windows = []
        for turn in range(N_FRESH):
            rng = np.random.default_rng([FRESH_SEED, index, turn])
            signal = normalise(make_sound(kind, int(rng.uniform(1.0, 8.0) * SAMPLING_RATE_HZ), rng))
            windows.append(Window(signal, "sound", kind, str(turn)))
        accepted[kind] = float((score_padded(session, windows)[1] >= threshold).mean())
    log.info("final gate, accepted share of %d new sounds a kind: %s", N_FRESH, json.dumps(accepted))
    if accepted["white"] > 0.0:
        raise SystemExit(f"the gate accepts {accepted['white']} of white noise; none is allowed")
    return accepted


def check_held_out(int8: dict[str, Any]) -> None:
    """Refuse to publish where int8 costs too much on unheard speakers.

    Raises:
        SystemExit: its unweighted accuracy differs from float32 by more than `MAX_UA_CHANGE`.
    """
    change = int8["ua_change"]
    log.info("int8 on unheard speakers: UA change %+.4f, at most %.2f is allowed", change, MAX_UA_CHANGE)
    if abs(change) > MAX_UA_CHANGE:
        raise SystemExit(f"int8 moves UA by {change}; at most {MAX_UA_CHANGE} is allowed")


def build_manifest(results: dict[str, Any], model: Path, *, version: str, threshold: float) -> dict[str, Any]:
    """Return the manifest of the bundle, every key that serving reads."""
    calibration = results["evaluation"]["calibration"]
    return {
        "format": 1,
        "name": NAME,
        "version": version,
        "labels": list(LABELS),
        "sampling_rate_hz": SAMPLING_RATE_HZ,
        "front_end": asdict(FRONT_END),
        "vad": asdict(VadConfig()),
        "min_speech_ms": MIN_SPEECH_MS,
        "window": asdict(WindowConfig()),
        "padding": "zeros_masked",
        "pooling": {"kind": "mean", "weight": "new_speech_ms"},
        "temperature": calibration["temperature"],
        "uncertain_below": calibration["uncertain_below"],
        "speech_gate": {"output": "speech", "threshold": threshold},
        "quantisation": {"kind": "int8", "scheme": FACTS.int8.text},
        "batch": 1,
        "opset": OPSET,
        "training": {"corpora": CORPORA, "git": results["revision"], "seed": SEED},
        "metrics": results,
        "licence": "Apache-2.0 (heads and layers tuned on CREMA-D, ODbL-1.0, notice in MODEL_CARD.md) and MIT (Whisper encoder)",
        "sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
    }


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crema-d", type=Path, required=True, help="folder of CREMA-D audio")
    parser.add_argument("--features", type=Path, required=True, help="folder that training.whisper3.features filled")
    parser.add_argument(
        "--work", type=Path, required=True, help="folder with evaluation, gate and int8 .json, and slices/"
    )
    parser.add_argument("--tuned", type=Path, required=True, help="folder of the run on all speakers")
    parser.add_argument("--models", type=Path, required=True, help="folder of bundles")
    parser.add_argument("--version", default="0.2.0")
    parser.add_argument("--revision", default="unknown", help="git revision of these scripts, recorded")
    return parser.parse_args()


def main() -> None:
    """Fit, export, check, and write manifest.json, model.onnx, MODEL_CARD.md and Whisper's licence."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arguments = parse_arguments()
    results: dict[str, Any] = {"revision": arguments.revision}
    for name in ("evaluation", "gate", "int8"):
        results[name] = json.loads((arguments.work / f"{name}.json").read_text(encoding="utf-8"))
    slices = (arguments.work / "slices" / "slices.md").read_text(encoding="utf-8")
    check_held_out(results["int8"])
    threshold = results["gate"]["threshold"]
    corpus = load_crema_d(arguments.crema_d)
    results["defects"] = [f"{defect.name} ({defect.reason})" for defect in corpus.defects]
    heads = fit_final(arguments.features, arguments.tuned, results["evaluation"]["calibration"]["temperature"])
    graphs = {
        name: assemble(arguments.features / f"encoder-{name}.onnx", heads, arguments.work / f"model-{name}.onnx")
        for name in ("float32", "int8")
    }
    windows = list(make_copy(corpus.utterances[::CHECK_STEP], CLEAN))
    results["final"] = check_pair(graphs["float32"], graphs["int8"], windows)
    results["final"]["false_accept"] = check_sounds(graphs["int8"], threshold)
    folder = arguments.models / f"{NAME}-{arguments.version}"
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "model.onnx"
    model.write_bytes(graphs["int8"].read_bytes())
    manifest = build_manifest(results, model, version=arguments.version, threshold=threshold)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    write_card(manifest, folder / "MODEL_CARD.md", slices=slices)
    (folder / "LICENSE.whisper").write_text(WHISPER_LICENCE.read_text(encoding="utf-8"), encoding="utf-8")
    log.info("wrote %s, model.onnx %.2f MB", folder.name, model.stat().st_size / 1e6)


if __name__ == "__main__":
    main()
