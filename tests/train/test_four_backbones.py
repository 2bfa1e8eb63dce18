"""Every backbone by the command: trained on a tiny corpus, exported in int8 and taken by `tonalog score --model`."""

import csv
import json
from pathlib import Path

import pytest
import soundfile
import torch
from click.testing import CliRunner
from nets import LABELS, RATE_HZ, SMALL
from safetensors.torch import save_file
from sounds import make_voice

from tonalog.cli import cli
from training.nets.backbones import find_backbone, list_backbones
from training.nets.pretrained import HubertConfig, HubertModel, Wav2Vec2Config, Wav2Vec2Model
from training.nets.whisper import PooledEncoder
from worker.scoring.bundle import load_bundle

ROOT = Path(__file__).resolve().parents[2]
SWIFT = ("--recipe", "paper", "--without", "pitch", "--epochs", "1", "--batch-size", "16", "--protocol", "production")
# Random weights are no model: any score will do, as long as it is one.
LOOSE = ("--max-ua-drop", "1", "--min-same-label", "0", "--max-change", "0.5", "--gate-sounds", "2")


def succeed(*arguments):
    result = CliRunner().invoke(cli, [str(one) for one in arguments])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("voices")
    rows = [("file", "speaker", "emotion")]
    for seed in range(24):
        name, speaker, label = f"{seed}.wav", f"s{seed % 6}", LABELS[seed // 6]
        voice = make_voice(0.7, pitch_hz=100.0 + 30.0 * (seed % 6) + 10.0 * (seed // 6), seed=seed)
        soundfile.write(folder / name, voice, RATE_HZ)
        rows.append((name, speaker, label))
    with (folder / "manifest.csv").open("w", newline="") as target:
        csv.writer(target).writerows(rows)
    return folder


def save_small(name, folder):
    """Random weights of a small configuration in the form that the backbone loads; None where it takes none."""
    torch.manual_seed(0)
    if name == "light-sernet":
        return None
    if name == "whisper-base":
        tensors = {key: value for key, value in PooledEncoder().state_dict().items() if not key.startswith("log_mel")}
        save_file(tensors, folder / "encoder.safetensors")
        return folder / "encoder.safetensors"
    if name == "distilhubert":
        HubertModel(HubertConfig(**SMALL, num_hidden_layers=2, feat_proj_layer_norm=False)).save_pretrained(folder)
    elif name == "wav2vec2-base":
        Wav2Vec2Model(Wav2Vec2Config(**SMALL, num_hidden_layers=3)).save_pretrained(folder)
    else:
        raise ValueError(f"{name} has no small weights here, allowed are those of the four")
    return folder


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", list_backbones())
def test_it_is_trained_exported_in_int8_and_scores_a_note(name, corpus, tmp_path):
    torch.set_num_threads(1)
    weights, run, bundle = save_small(name, tmp_path), tmp_path / "run", tmp_path / f"{name}-0.0.1"
    pretrained = () if weights is None else ("--pretrained", weights)
    succeed("train", f"manifest={corpus}", "--backbone", name, *pretrained, *SWIFT, "--out", run)

    printed = succeed("bundle", run, "--out", bundle, "--version", "0.0.1", *LOOSE)
    note = min((ROOT / "examples" / "notes").rglob("*.ogg"))
    row = json.loads(succeed("score", "--json", "--model", bundle, note))

    assert row["model"] == {"name": name, "version": "0.0.1"}
    assert row["error"] is None
    assert row["duration_ms"] > 5000
    if row["status"] == "scored":
        assert set(row["scores"]) == set(LABELS)
        assert sum(row["scores"].values()) == pytest.approx(1.0)
    else:
        assert (row["status"], row["scores"], row["label"]) == ("no_speech", None, None)
    manifest = load_bundle(bundle).manifest
    assert manifest.quantisation["scheme"] == find_backbone(name).facts.int8.text
    left_out = manifest.metrics["gate"]["left_out"]
    assert (manifest.speech_gate is None) == (left_out is not None)
    assert f"speech gate: {'misses' if left_out is None else f'left out, because {left_out}'}" in printed


def test_a_bundle_without_a_gate_is_what_the_command_says(corpus, tmp_path):
    run, bundle = tmp_path / "run", tmp_path / "light-0.0.1"
    succeed("train", f"manifest={corpus}", "--backbone", "light-sernet", *SWIFT, "--out", run)

    printed = succeed("bundle", run, "--out", bundle, "--version", "0.0.1", *LOOSE, "--without-gate")

    assert "speech gate: none was asked for" in printed
    assert load_bundle(bundle).manifest.speech_gate is None
