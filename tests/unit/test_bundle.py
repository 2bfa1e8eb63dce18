"""A bundle is loaded whole and right, or refused with the value and what was allowed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.bundles import DIMENSIONS, LABELS, write_bundle
from trends import MIDDLE_MIX, Baseline, BaselineRule, Reference, read_baseline, write_baseline
from worker.audio.frontend import FrontEnd
from worker.audio.vad import VadConfig
from worker.audio.windows import WindowConfig
from worker.scoring.bundle import BundleError, load_bundle


def test_a_whole_bundle_is_loaded(tmp_path: Path) -> None:
    bundle = load_bundle(write_bundle(tmp_path / "tiny-0.0.1"))

    assert bundle.manifest.labels == tuple(LABELS)
    assert bundle.manifest.vad == VadConfig()
    assert bundle.manifest.window == WindowConfig()
    assert bundle.manifest.front_end == FrontEnd()
    assert bundle.manifest.n_window_samples == 128_000
    assert bundle.model_bytes == (bundle.folder / "model.onnx").read_bytes()


def test_licence_texts_may_lie_beside_the_model(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path)
    (folder / "LICENSE-whisper.txt").write_text("MIT", encoding="utf-8")

    assert load_bundle(folder).manifest.name == "tiny"


def test_a_label_more_than_the_four_is_allowed(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path, labels=[*LABELS, "fear"])

    assert load_bundle(folder).manifest.labels[-1] == "fear"


def test_a_bundle_may_name_dimensions(tmp_path: Path) -> None:
    manifest = load_bundle(write_bundle(tmp_path, dimensions=DIMENSIONS)).manifest

    assert list(manifest.dimensions) == ["arousal", "valence"]
    valence = manifest.dimensions["valence"]
    assert (valence.output, valence.low, valence.high) == ("valence", -1.0, 1.0)


def test_a_bundle_without_dimensions_is_registered_as_it_was_before_there_were_any(tmp_path: Path) -> None:
    without = load_bundle(write_bundle(tmp_path / "without")).manifest
    given = load_bundle(write_bundle(tmp_path / "with", dimensions=DIMENSIONS)).manifest

    assert without.dimensions == {}
    assert set(given.as_document()) - set(without.as_document()) == {"dimensions"}
    assert given.as_document()["dimensions"] == DIMENSIONS


BASELINE = write_baseline(
    Baseline(Reference(tuple(LABELS), tuple(map(tuple, (np.eye(4) * 4.5 - 5.0).tolist()))), BaselineRule(MIDDLE_MIX))
)


def test_a_bundle_may_carry_the_reference_and_the_rule_of_a_persons_own_baseline(tmp_path: Path) -> None:
    without = load_bundle(write_bundle(tmp_path / "without")).manifest
    given = load_bundle(write_bundle(tmp_path / "with", baseline=BASELINE)).manifest

    assert given.baseline is not None
    assert read_baseline(given.baseline, labels=given.labels).rule == BaselineRule(MIDDLE_MIX)
    assert without.baseline is None
    assert set(given.as_document()) - set(without.as_document()) == {"baseline"}
    assert given.as_document()["baseline"] == BASELINE


def change_rule(**changes: Any) -> dict[str, Any]:
    return {"baseline": BASELINE | {"rule": BASELINE["rule"] | changes}}


def change_dimension(name: str = "valence", **changes: Any) -> dict[str, Any]:
    return {"dimensions": {name: {**DIMENSIONS["valence"], **changes}}}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"format": 2}, r"format 2 is unknown, allowed are \[1\]"),
    ({"labels": LABELS[:3]}, r"lack \['sadness'\]"),
    ({"labels": [*LABELS, "anger"]}, "name one twice"),
    ({"sampling_rate_hz": 8000}, "sampling_rate_hz is 8000.*16000"),
    ({"batch": 8}, "batch is 8"),
    ({"padding": "repeat"}, "padding is 'repeat'.*zeros_masked"),
    ({"pooling": {"kind": "median", "weight": "equal"}}, "pooling.kind is 'median'"),
    ({"pooling": {"kind": "mean", "weight": "loudness"}}, "pooling.weight is 'loudness'"),
    ({"window": {"window_ms": 8000, "hop_ms": 9000}}, "hop_ms is 9000"),
    ({"window": {"window_ms": 8000, "stride_ms": 10}}, r"unknown keys \['stride_ms'\]"),
    ({"vad": {"mode": 9}}, "mode is 9, allowed are 0 to 3"),
    ({"vad": {"agressiveness": 3}}, r"unknown keys \['agressiveness'\]"),
    ({"front_end": {"peak": 2.0}}, "peak is 2.0"),
    ({"uncertain_below": 1.5}, "uncertain_below is 1.5"),
    ({"speech_gate": {"output": "speech", "threshold": 2}}, "speech_gate.threshold is 2"),
    (change_dimension("dominance"), r"dominance.*'arousal' or 'valence'"),
    (change_dimension(low=1.0), "low is 1.0 and high is 1.0, allowed is low < high"),
    (change_dimension(low=float("-inf")), r"valence.low is -inf.*finite"),
    (change_dimension(high=float("nan")), r"valence.high is nan.*finite"),
    (change_dimension(output=""), "valence.output is ''"),
    (change_dimension(unit="mood"), "valence.unit is 'mood'"),
    ({"dimensions": None}, "dimensions is None"),
    ({"dimensions": DIMENSIONS, "labels": [*LABELS, "arousal"]}, r"\['arousal'\] are labels and dimensions"),
    ({"baseline": {}}, "baseline has keys"),
    ({"baseline": "mine"}, "baseline is 'mine'"),
    ({"baseline": BASELINE, "labels": [*LABELS, "fear"]}, "needed are the labels .*fear"),
    (change_rule(version=9), r"version of the baseline rule is 9, known are \[1, 2\]"),
    (change_rule(max_share=2), "max_share is 2.0; allowed is over 0 and up to 1"),
    (change_rule(half_life_days=float("nan")), "half_life_days is nan"),
    ({"temperature": 0}, "temperature is 0"),
    ({"temperature": float("inf")}, "temperature is inf, allowed are finite numbers"),
    ({"temperature": 1e9}, "temperature is 1000000000.0"),
    ({"metrics": {"ua": [float("nan")]}}, "metrics.ua.0 is nan, allowed are finite numbers"),
    ({"training": {"seed": 10**30}}, "training.seed is 1000.*, allowed are integers"),
    ({"training": {"git": "\x1b[2J"}}, "training.git is .*allowed is printable text"),
    ({"training": {"\u202e": 1}}, "a key of training is .*allowed is printable text"),
    ({"quantisation": {"kind": "\ud800"}}, "quantisation.kind is .*allowed is printable text"),
    ({"labels": [*LABELS, "[bold]fear"]}, "a label is 1 to 32 of a to z and _"),
    ({"labels": [*LABELS, "f" * 33]}, "a label is 1 to 32 of a to z and _"),
    ({"labels": [*LABELS, "fear\n"]}, "a label is 1 to 32 of a to z and _"),
    ({"labels": [*LABELS, *("f" * n for n in range(1, 32))]}, "there are 35 labels, allowed are 32"),
    ({"name": "n" * 65}, "name is 'nnn"),
    ({"version": "1" * 65}, "version is '111"),
    ({"licence": "l" * 201}, "licence is 'lll"),
    ({"speech_gate": {"output": "a b", "threshold": 0.5}}, "speech_gate.output is 'a b'"),
    ({"window": {"window_ms": 36_000_000, "hop_ms": 36_000_000}}, "window_ms is 36000000, allowed are 100 to 60000"),
    ({"window": {"window_ms": 8000, "hop_ms": 1}}, "hop_ms is 1, allowed are 500 to 8000"),
    ({"window": {"window_ms": 8000, "hop_ms": 0}}, "hop_ms is 0"),
    ({"vad": {"max_segment_ms": 10**9}}, "vad max_segment_ms is 1000000000, allowed are at most 120000"),
    ({"vad": {"min_periodicity": float("nan")}}, "vad.min_periodicity is nan"),
    ({"front_end": {"trim_top_db": 1e6}}, "trim_top_db is 1000000.0, allowed are at most 200"),
    ({"min_speech_ms": 10**9}, "min_speech_ms is 1000000000"),
    ({"name": "../evil"}, "name is '../evil'"),
    ({"version": "a/b"}, "version is 'a/b'"),
    ({"licence": ""}, "licence is ''"),
    ({"surprise": 1}, "surprise is 1"),
    ({"sha256": "0" * 64}, "sha256 of model.onnx"),
    ({"sha256": "abc"}, "sha256 is 'abc'"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_a_wrong_manifest_is_refused_with_the_value(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    folder = write_bundle(tmp_path, **changes)

    with pytest.raises(BundleError, match=message):
        load_bundle(folder)


@pytest.mark.parametrize("key", ["format", "labels", "vad", "window", "speech_gate", "sha256", "licence"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    folder = write_bundle(tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    del manifest[key]
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")

    with pytest.raises(BundleError, match=rf"{key} is .*required"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["manifest.json", "model.onnx", "MODEL_CARD.md"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = write_bundle(tmp_path)
    (folder / name).unlink()

    with pytest.raises(BundleError, match=name):
        load_bundle(folder)


def test_an_unknown_file_is_refused(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path)
    (folder / "weights.bin").write_bytes(b"x")

    with pytest.raises(BundleError, match=r"holds \['weights.bin'\], allowed are"):
        load_bundle(folder)


def test_a_changed_model_is_refused(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path)
    content = bytearray((folder / "model.onnx").read_bytes())
    content[-1] ^= 1
    (folder / "model.onnx").write_bytes(bytes(content))

    with pytest.raises(BundleError, match=r"sha256 of model\.onnx"):
        load_bundle(folder)


def test_a_manifest_that_is_no_json_is_refused(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path)
    (folder / "manifest.json").write_text("{", encoding="utf-8")

    with pytest.raises(BundleError, match="manifest"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 500_000, "nested too deeply"),
        (b'{"a":' * 17 + b"1" + b"}" * 17, "nested too deeply, allowed are 16 levels"),
        (b'{"format": ' + b"9" * 5000 + b"}", "the manifest is refused"),
        (b'{"format": 1, "format": 1}', "the key 'format' is there twice"),
        (b'{"format": 1e999}', "format is inf, allowed are finite numbers"),
        (b"\xff\xfe", "the manifest is refused"),
        (b"[]", "manifest is"),
        (b"", "the manifest is refused"),
    ],
)
def test_a_manifest_that_no_reader_would_keep_is_refused_in_words(tmp_path: Path, content: bytes, message: str) -> None:
    folder = write_bundle(tmp_path)
    (folder / "manifest.json").write_bytes(content)

    with pytest.raises(BundleError, match=message) as refused:
        load_bundle(folder)
    assert len(str(refused.value)) < 400


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is not a folder"):
        load_bundle(tmp_path / "nowhere")
