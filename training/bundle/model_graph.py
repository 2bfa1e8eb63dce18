"""The shipped graph: the tuned encoder and both heads in one, with what was measured of it; it trains nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import compose
from torch import nn

from training.bundle.checks import check_pair, check_sounds
from training.bundle.gate import load_gate
from training.bundle.graph import export_onnx
from training.corpora import LABELS
from training.data.copies import CLEAN, make_copy
from training.data.files import write_json
from training.data.views import Source, load_trained
from training.fitting.mean import load_head
from training.fitting.model_plan import ModelPlan, Places
from training.fitting.model_recipe import Calibration
from training.measures.dimensions import DIMENSIONS
from training.nets.whisper import N_STATISTICS

FLOAT_FILE, INT8_FILE, FACTS_FILE = "model-float32.onnx", "model-int8.onnx", "graph.json"
OUTPUTS = ("probabilities", "speech", *DIMENSIONS)
CHECK_STEP = 20  # Every twentieth utterance checks the final pair of graphs.


class TwoHeads(nn.Module):  # type: ignore[misc]  # torch has no types here
    """Pooled statistics to emotion probabilities, calibrated, the probability of speech, arousal and valence."""

    def __init__(self, emotion: Any, speech: Any, *, temperature: float) -> None:
        """Hold fitted heads.

        Args:
            emotion: head to 4 logits.
            speech: head to 2 logits, non-speech and speech.
            temperature: over 0; the emotion logits are divided by it.
        """
        super().__init__()
        self.emotion = emotion
        self.speech = speech
        self.temperature = temperature
        rows = [[weights[label] for label in LABELS] for weights in DIMENSIONS.values()]
        self.register_buffer("weights", torch.tensor(rows).T)

    def forward(self, statistics: Any) -> Any:
        """Return what `OUTPUTS` names, of statistics float32 (batch, 1024).

        Probabilities are float32 (batch, 4), in the order of `LABELS`; speech, arousal and valence float32 (batch,), the
        last two sums of the probabilities as `training.measures.dimensions` weighs them.
        """
        probabilities = torch.softmax(self.emotion(statistics) / self.temperature, dim=1)
        speech = torch.softmax(self.speech(statistics), dim=1)[:, 1]
        return probabilities, speech, *(probabilities @ self.weights).unbind(dim=1)


def assemble(encoder: Path, heads: TwoHeads, target: Path) -> Path:
    """Join an exported encoder and fitted heads into one graph.

    Args:
        encoder: graph from `waveform` to `statistics`.
        heads: fitted, in evaluation mode.
        target: file to write.

    Returns:
        target.
    """
    part = target.with_suffix(".heads.onnx")
    example = torch.zeros(2, N_STATISTICS)
    export_onnx(heads.eval(), part, inputs="statistics", example=example, outputs=OUTPUTS)
    first, second = onnx.load(encoder), onnx.load(part)
    second.ir_version = first.ir_version
    renamed = compose.add_prefix(second, "heads/", rename_inputs=False, rename_outputs=False)
    joined = compose.merge_models(first, renamed, io_map=[("statistics", "statistics")])
    onnx.checker.check_model(joined)
    target.write_bytes(joined.SerializeToString())
    return target


def finish_graph(plan: ModelPlan, places: Places, folder: Path, source: Source, *, calibration: Calibration) -> None:
    """Join the tuned encoder and both heads, and write the graph with what was measured of it.

    Args:
        plan: of the run.
        places: of the run, tuned and with a speech head.
        folder: for the graphs and `graph.json`; what is there of the same temperature and outputs stays.
        source: of windows.
        calibration: whose temperature goes into the graph.
    """
    target = folder / FACTS_FILE
    identity = {"temperature": calibration.temperature, "outputs": list(OUTPUTS)}
    if target.is_file() and identity.items() <= json.loads(target.read_text(encoding="utf-8")).items():
        return
    target.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    tuned = places.find_mean(None, plan.recipe.seeds)
    heads = TwoHeads(load_head(tuned), load_gate(places.gate), temperature=calibration.temperature)
    exact, small = (
        assemble(places.features / f"encoder-{name}.onnx", heads, folder / file)
        for name, file in (("float32", FLOAT_FILE), ("int8", INT8_FILE))
    )
    corpus = load_trained(source)
    final = check_pair(exact, small, list(make_copy(corpus.utterances[::CHECK_STEP], CLEAN)))
    accepted = check_sounds(small, plan.recipe.speech_threshold, n_fresh=plan.recipe.amounts.n_fresh)
    defects = [f"{defect.name} ({defect.reason})" for defect in corpus.defects]
    figures = {"final": {**final, "false_accept": accepted}, "defects": defects}
    write_json(target, {**identity, "figures": figures})
