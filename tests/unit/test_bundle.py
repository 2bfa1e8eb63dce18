"""A bundle is loaded whole and right, or refused with the value and what was allowed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.bundles import DIMENSIONS, LABELS, write_bundle
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
    ({"temperature": 0}, "temperature is 0"),
    ({"name": "../evil"}, "name is '../evil'"),
    ({"version": "a/b"}, "version is 'a/b'"),
    ({"licence": ""}, "licence is ''"),
    ({"surprise": 1}, "surprise is 1"),
    ({"sha256": "0" * 64}, "sha256 of model.onnx"),
    ({"sha256": "abc"}, "sha256 is 'abc'"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG, ids=[next(iter(changes)) for changes, _message in WRONG])
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


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is not a folder"):
        load_bundle(tmp_path / "nowhere")
