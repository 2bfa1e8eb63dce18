"""A scorer checks its graph on construction and gives the same scores for the same window, whatever came before."""

from __future__ import annotations

import gc
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, external_data_helper, helper

from config.settings import SHIPPED_MODELS
from tests.unit.bomb_graphs import make_bomb
from tests.unit.bundles import DIMENSIONS, LABELS, WEIGHTS, make_graph, write_bundle
from tests.unit.sounds import make_noise, make_silence, make_voice
from worker.scoring.bundle import BundleError, load_bundle
from worker.scoring.scorer import Scorer, ScoringError


def build(folder: Path, graph: onnx.ModelProto | None = None, **changes: Any) -> Scorer:
    return Scorer(load_bundle(write_bundle(folder, graph, **changes)))


def test_scores_are_probabilities_in_the_order_of_labels(tmp_path: Path) -> None:
    scores = build(tmp_path).score(make_voice(3.0))

    assert len(scores.scores) == len(LABELS)
    assert sum(scores.scores) == pytest.approx(1.0, abs=1e-12)
    assert all(isinstance(score, float) for score in scores.scores)
    assert scores.speech_probability is None


def test_a_scorer_keeps_no_second_copy_of_its_graph(tmp_path: Path) -> None:
    bundle = load_bundle(write_bundle(tmp_path))

    scorer = Scorer(bundle)
    scorer.score(make_voice(1.0))

    assert scorer.bundle.sha256 == bundle.sha256
    assert gc.get_referrers(bundle.model_bytes) == [bundle]


def test_a_window_scores_the_same_alone_and_among_others(tmp_path: Path) -> None:
    scorer = build(tmp_path)
    voice = make_voice(5.0)
    alone = scorer.score(voice)

    for seed in range(3):
        scorer.score(make_noise(8.0, seed=seed))

    assert scorer.score(voice) == alone


def test_a_shorter_window_ends_in_exact_zeros(tmp_path: Path) -> None:
    scorer = build(tmp_path, front_end={"peak": None})
    voice = make_voice(2.0)

    assert scorer.score(voice) == scorer.score(np.concatenate([voice, make_silence(6.0)]))


def count_shapes(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Keep the lengths of what the session is given."""
    lengths: list[int] = []
    run = scorer._session.run

    def spy(outputs: list[str], inputs: dict[str, np.ndarray], options: Any) -> list[np.ndarray]:
        lengths.append(inputs["waveform"].shape[1])
        return run(outputs, inputs, options)

    monkeypatch.setattr(scorer, "_session", type("Spy", (), {"run": staticmethod(spy)})())
    return lengths


def test_a_graph_that_feels_padding_always_gets_a_whole_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = build(tmp_path)
    lengths = count_shapes(scorer, monkeypatch)

    scorer.score(make_voice(1.0))

    assert lengths == [128_000]


def test_the_shipped_graph_masks_padding_so_short_windows_are_run_short_with_the_same_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scorer = Scorer(load_bundle(max(SHIPPED_MODELS.glob("*/manifest.json")).parent))
    lengths = count_shapes(scorer, monkeypatch)
    voice = make_voice(2.5)
    short = scorer.score(voice)

    scorer._step_samples = 128_000
    whole = scorer.score(voice)

    assert lengths == [40_960, 128_000]
    assert short.scores == pytest.approx(whole.scores, abs=1e-6)


def test_two_threads_give_the_same_scores(tmp_path: Path) -> None:
    bundle = load_bundle(write_bundle(tmp_path))

    one, two = (Scorer(bundle, threads=threads).score(make_voice(4.0)).scores for threads in (1, 2))

    np.testing.assert_allclose(one, two, atol=1e-6)


def test_the_speech_gate_is_read_from_its_output(tmp_path: Path) -> None:
    scorer = build(tmp_path, make_graph(gate=True), speech_gate={"output": "speech", "threshold": 0.5})
    tone = np.sin(np.arange(128_000) / 5).astype(np.float32)

    assert scorer.score(make_voice(8.0)).speech_probability == 1.0
    assert scorer.score(tone).speech_probability == 0.0


def test_the_dimensions_are_read_from_the_outputs_that_the_manifest_names(tmp_path: Path) -> None:
    graph = make_graph(constant=[0.1, 0.2, 0.3, 0.4], weights_of={"a": WEIGHTS["arousal"], "v": WEIGHTS["valence"]})
    named = {name: {**one, "output": name[0]} for name, one in DIMENSIONS.items()}

    found = build(tmp_path, graph, dimensions=named).score(make_voice(3.0)).dimensions

    assert found == {"arousal": pytest.approx(0.3), "valence": pytest.approx(-0.3)}


def test_a_bundle_that_names_no_dimension_has_none_whatever_its_graph_says(tmp_path: Path) -> None:
    assert build(tmp_path, make_graph(weights_of=WEIGHTS)).score(make_voice(3.0)).dimensions == {}


def test_dimensions_and_a_gate_stand_side_by_side(tmp_path: Path) -> None:
    graph = make_graph(gate=True, weights_of=WEIGHTS)
    gate = {"output": "speech", "threshold": 0.5}

    found = build(tmp_path, graph, speech_gate=gate, dimensions=DIMENSIONS).score(make_voice(8.0))

    chances = dict(zip(LABELS, found.scores, strict=True))
    assert found.speech_probability == 1.0
    assert found.dimensions["arousal"] == pytest.approx(chances["anger"] + chances["happiness"], abs=1e-6)
    assert found.dimensions["valence"] == pytest.approx(
        chances["happiness"] - chances["anger"] - chances["sadness"], abs=1e-6
    )


def test_a_graph_without_a_promised_dimension_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="needs valence"):
        build(tmp_path, make_graph(weights_of={"arousal": WEIGHTS["arousal"]}), dimensions=DIMENSIONS)


def test_a_dimension_of_several_values_a_window_is_refused(tmp_path: Path) -> None:
    named = {"arousal": {**DIMENSIONS["arousal"], "output": "probabilities"}}

    with pytest.raises(BundleError, match=r"arousal output has shape \(1, 4\), allowed is one value"):
        build(tmp_path, dimensions=named)


@pytest.mark.parametrize(
    ("value", "expected"), [(1.0005, 1.0), (-0.0005, 0.0), (1.002, None), (-0.002, None), (float("nan"), None)]
)
def test_a_dimension_just_outside_its_range_is_put_at_its_end_and_one_further_out_is_refused(
    tmp_path: Path, value: float, expected: float | None
) -> None:
    graph = make_graph(constant=[1.0, 0.0, 0.0, 0.0], weights_of={"arousal": [value, 0.0, 0.0, 0.0]})
    named = {"arousal": DIMENSIONS["arousal"]}

    if expected is None:
        with pytest.raises(ScoringError, match=r"arousal is .*allowed are 0.0 to 1.0"):
            build(tmp_path, graph, dimensions=named)
    else:
        assert build(tmp_path, graph, dimensions=named).score(make_voice(1.0)).dimensions == {"arousal": expected}


def test_a_dimension_that_feels_padding_makes_every_window_whole(tmp_path: Path) -> None:
    steady = make_graph(constant=[0.25, 0.25, 0.25, 0.25])
    feeling = make_graph(constant=[0.25, 0.25, 0.25, 0.25])
    feeling.graph.node.append(helper.make_node("ReduceMean", ["energy"], ["arousal"], axes=[1], keepdims=0))
    feeling.graph.output.append(helper.make_tensor_value_info("arousal", TensorProto.FLOAT, ["batch"]))

    assert build(tmp_path / "steady", steady)._step_samples == 1_280
    named = {"arousal": DIMENSIONS["arousal"]}
    assert build(tmp_path / "feeling", feeling, dimensions=named)._step_samples == 128_000


def test_a_graph_without_the_promised_gate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="needs speech"):
        build(tmp_path, speech_gate={"output": "speech", "threshold": 0.5})


def test_a_graph_with_another_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"inputs are .*audio.*allowed is waveform"):
        build(tmp_path, make_graph(input_name="audio"))


def test_a_graph_with_another_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"outputs are .*logits_out.*needs probabilities"):
        build(tmp_path, make_graph(output_name="logits_out"))


def test_a_graph_with_another_number_of_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"shape \(1, 5\), allowed is \(1, 4\)"):
        build(tmp_path, make_graph(n_labels=5))


@pytest.mark.parametrize(
    "constant",
    [[0.5, 0.5, 0.5, 0.5], [1.5, -0.5, 0.0, 0.0], [float("nan"), 0.0, 0.5, 0.5], [float("inf"), 0.0, 0.0, 0.0]],
)
def test_scores_that_are_no_probabilities_are_refused(tmp_path: Path, constant: list[float]) -> None:
    with pytest.raises(ScoringError, match="allowed are 0 to 1 with sum 1"):
        build(tmp_path, make_graph(constant=constant))


def test_what_is_no_graph_is_refused(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path)
    bundle = load_bundle(folder)
    broken = replace(bundle, model_bytes=b"not a graph")

    with pytest.raises(BundleError, match="the graph is refused: it is no ONNX model"):
        Scorer(broken)


def test_weights_outside_the_checked_bytes_are_refused(tmp_path: Path) -> None:
    graph = make_graph()
    (weights,) = [tensor for tensor in graph.graph.initializer if tensor.name == "weights"]
    (tmp_path / "weights.bin").write_bytes(weights.raw_data)
    external_data_helper.set_external_data(weights, location=str(tmp_path / "weights.bin"))
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL

    with pytest.raises(BundleError, match="is refused"):
        build(tmp_path / "bundle", graph)


@pytest.mark.parametrize("shape", [(128_001,), (1, 16_000)])
def test_a_signal_that_is_no_window_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    scorer = build(tmp_path)

    with pytest.raises(ValueError, match="allowed is \\(n,\\) with n at most 128000"):
        scorer.score(np.zeros(shape, dtype=np.float32))


def test_a_graph_that_would_run_for_ever_is_ended_and_the_next_window_is_scored(tmp_path: Path) -> None:
    scorer = Scorer(load_bundle(write_bundle(tmp_path, make_bomb("loop"))), run_limit_s=0.5)
    began_s = time.process_time()

    with pytest.raises(BundleError, match=r"took more than 0\.5 s of processor time for one window"):
        scorer.score(make_voice(8.0))

    assert time.process_time() - began_s < 5.0
    assert sum(scorer.score(make_voice(1.0)).scores) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("kind", "message"),
    [("memory", "found no memory to score a window"), ("error", "failed to score a window: .*Gather")],
)
def test_a_run_that_fails_is_the_models_fault(tmp_path: Path, kind: str, message: str) -> None:
    scorer = build(tmp_path, make_bomb(kind))

    with pytest.raises(BundleError, match=f"the graph {message}"):
        scorer.score(make_voice(8.0))


def test_a_scorer_that_is_gone_leaves_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    scorer = Scorer(load_bundle(write_bundle(tmp_path)), run_limit_s=0.2)
    (thread,) = set(threading.enumerate()) - before

    del scorer
    thread.join(timeout=5.0)

    assert not thread.is_alive()


def test_a_scorer_keeps_no_copy_of_the_model_beside_its_session(tmp_path: Path) -> None:
    bundle = load_bundle(write_bundle(tmp_path))
    held = sys.getrefcount(bundle.model_bytes)

    scorer = Scorer(bundle)
    now = sys.getrefcount(bundle.model_bytes)

    assert scorer.bundle.manifest == bundle.manifest
    assert now == held


def test_what_a_graph_is_called_reaches_no_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    graph = make_bomb("error")
    (gather,) = [node for node in graph.graph.node if node.op_type == "Gather"]
    gather.name = "odd-name"
    scorer = build(tmp_path, graph)

    with pytest.raises(BundleError):
        scorer.score(make_voice(8.0))

    assert capfd.readouterr() == ("", "")


def test_no_threads_are_refused(tmp_path: Path) -> None:
    bundle = load_bundle(write_bundle(tmp_path))

    with pytest.raises(ValueError, match="threads is 0"):
        Scorer(bundle, threads=0)
