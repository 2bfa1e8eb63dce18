"""The speech gate of exported bundles: what it lets pass, what it says of itself, and when it is left out."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from nets import LABELS, RATE_HZ, Tone, build_small, find_small
from sounds import make_noise, make_voice
from test_export import PARTS

from training.bundle.export import WITHOUT_GATE, export_bundle
from training.bundle.gate import GateRecipe, JudgedGate, find_fault
from training.data.windows import WindowSet, WindowStore
from training.fitting.presets import PAPER
from training.sounds.nonspeech import MAKERS, make_sound
from worker.audio.frontend import FrontEnd
from worker.scoring.bundle import load_bundle
from worker.scoring.note import NoteStatus
from worker.scoring.onnx_runtime import ort
from worker.scoring.pipeline import score_recording
from worker.scoring.scorer import Scorer

RECIPE = replace(PAPER, name="test", front_end=FrontEnd())
# What a random net can tell apart is enough to see that the gate is wired, not to ship it.
WIRED = GateRecipe(n_speech=48, per_kind=4, max_missed=1.0, max_accepted=1.0)


def read_voice(path):
    seed = int(path.name)
    rng = np.random.default_rng(seed)
    return make_voice(rng.uniform(0.8, 2.0), pitch_hz=rng.uniform(90.0, 250.0), seed=seed)


def read_noise(path):
    return make_noise(1.0, seed=int(path.name))


def make_set(first, n_windows, read=read_voice):
    voices = [Tone(Path(str(one)), LABELS[one % 4]) for one in range(first, first + n_windows)]
    return WindowSet(voices, LABELS, WindowStore(RECIPE, read))


def export(folder, *, speech, check=None):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    sets = {"train": make_set(0, 60), "check": check or make_set(500, 8)}
    identity = replace(PARTS["identity"], front_end=RECIPE.front_end)
    parts = {**PARTS, "identity": identity, "speech": speech, **sets}
    return export_bundle(build_small("light-sernet"), find_small("light-sernet"), folder, **parts)


@pytest.fixture(scope="module")
def gated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "gated"
    return export(folder, speech=WIRED), load_bundle(folder)


@pytest.fixture(scope="module")
def ungated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "ungated"
    return export(folder, speech=None), load_bundle(folder)


def make_note(signal):
    note = io.BytesIO()
    soundfile.write(note, signal, RATE_HZ, format="wav")
    note.seek(0)
    return note


def test_unheard_voices_pass_and_loud_noise_does_not(gated):
    scorer = Scorer(gated[1])
    voices = [scorer.score(read_voice(Path(str(seed)))).speech_probability for seed in range(900, 906)]
    noises = [scorer.score(make_noise(3.0, seed=seed)).speech_probability for seed in range(6)]
    assert min(voices) > 0.5 > max(noises)


def test_a_sound_that_the_detector_takes_for_speech_is_no_emotion_behind_the_gate(gated, ungated):
    sound = 0.8 * make_sound("drums", 4 * RATE_HZ, np.random.default_rng(2))
    behind, without = (score_recording(make_note(sound), Scorer(bundle)) for _, bundle in (gated, ungated))
    assert without.status is NoteStatus.SCORED
    assert behind.status is NoteStatus.NO_SPEECH
    assert behind.rejected_ms >= without.speech_ms


def test_neighbours_do_not_move_the_speech_probability_by_a_bit(gated):
    session = ort.InferenceSession(gated[1].model_bytes, providers=["CPUExecutionProvider"])
    batch = np.stack([make_noise(2.0, seed=seed, peak=0.1 + 0.1 * seed) for seed in range(8)])
    together = session.run(["speech"], {"waveform": batch})[0]
    assert together.shape == (8,)
    alone = [session.run(["speech"], {"waveform": row[None]})[0][0] for row in batch]
    assert np.array_equal(together, alone)


def test_the_manifest_and_the_card_say_what_the_gate_does(gated):
    exported, bundle = gated
    manifest, card = bundle.manifest, (bundle.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert (manifest.speech_gate.output, manifest.speech_gate.threshold) == ("speech", 0.5)
    assert manifest.metrics["gate"] == exported.gate.as_dict()
    assert manifest.metrics["gate"]["left_out"] is None
    assert set(manifest.metrics["gate"]["false_accept"]) == {f"{kind}/unseen kind" for kind in MAKERS}
    assert manifest.training["corpora"][-1]["n_utterances"] == exported.gate.n_sounds == 4 * len(MAKERS)
    assert "never heard their kind" in card


def test_a_bundle_that_was_asked_for_without_a_gate_says_so(ungated):
    exported, bundle = ungated
    assert exported.gate is None
    assert bundle.manifest.speech_gate is None
    assert bundle.manifest.metrics["gate"] == {"left_out": WITHOUT_GATE}
    assert WITHOUT_GATE in (bundle.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    session = ort.InferenceSession(bundle.model_bytes, providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_outputs()] == ["probabilities", "arousal", "valence"]


def test_a_gate_that_turns_held_out_speech_away_is_left_out(tmp_path):
    recipe = replace(WIRED, max_missed=0.01)
    exported = export(tmp_path / "bad", speech=recipe, check=make_set(0, 4, read_noise))
    bundle = load_bundle(tmp_path / "bad")
    assert exported.gate.missed == 1.0
    assert bundle.manifest.speech_gate is None
    assert "1.0000 of held-out speech" in bundle.manifest.metrics["gate"]["left_out"]
    assert "1.0000 of held-out speech" in (bundle.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert [one["name"] for one in bundle.manifest.training["corpora"]] == ["tones"]


@pytest.mark.parametrize(
    ("missed", "accepted", "fault"),
    [
        (0.01, 0.05, None),
        (0.02, 0.0, "0.0200 of held-out speech"),
        (0.0, 0.06, "0.0600 of unheard kinds"),
        (0.02, 0.06, "speech away, allowed is 0.01; it lets 0.0600"),
    ],
)
def test_a_gate_is_as_good_as_its_recipe_asks_or_says_what_is_wrong(missed, accepted, fault):
    sizes = {"n_speech": 10, "n_sounds": 10, "n_held_out": 10}
    found = find_fault(JudgedGate(0.5, **sizes, missed=missed, accepted={"hum": accepted}, refused=None), GateRecipe())
    assert found is None if fault is None else fault in found


@pytest.mark.parametrize(
    ("change", "message"),
    [({"per_kind": 1}, "per_kind is 1"), ({"n_speech": 0}, "n_speech is 0"), ({"threshold": 1.5}, "threshold is 1.5")],
)
def test_a_recipe_that_cannot_be_followed_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        GateRecipe(**change)
