"""The model card of a bundle that `tonalog export` writes; every figure in it comes from the manifest and none is typed in."""

from __future__ import annotations

import json
from string import Template
from typing import Any

from training.bundle.credits import write_credits
from training.escaping import code_span, escape_markdown
from training.nets.backbones.base import Facts
from training.tables import tabulate

_CARD = Template("""\
# $name $version

Four-class speech emotion model for `tonalog score` and `tonalog worker`: $backbone ($source), trained with the recipe
$recipe. One ONNX graph, opset $opset, $megabytes MB, from a 16 kHz waveform to probabilities.

## Intended use

Trends of one person's own voice notes over time. A score says how a voice *sounds* to a model, not how a person
feels; it is no diagnosis. Inferring emotions of people at work or in education is prohibited in the EU and out of scope.

## Training data

$corpora

## How it was trained

```json
$training
```

## Figures

Printed by `tonalog train` and `tonalog export`; held-out speakers only.

$figures

## Int8 against float32

$scheme. $notes

$parity

## Limits

Acted speech is louder and clearer than what people send each other. Other languages, microphones, ages and codecs than
those of the training data are untested unless a figure above names them.

## Speech gate

$gate

## Licence

$licence
""")


def fill_run_card(manifest: dict[str, Any], facts: Facts) -> str:
    """Return the text of the card.

    Args:
        manifest: of the bundle, with `training.corpora`, `metrics.gate` and `metrics.parity`.
        facts: of the backbone.
    """
    training, measured = manifest["training"], dict(manifest["metrics"])
    parity, gate = measured.pop("parity"), measured.pop("gate")
    return _CARD.substitute(
        name=escape_markdown(manifest["name"]),
        version=escape_markdown(manifest["version"]),
        backbone=facts.name,
        source=facts.source,
        recipe=code_span(training["recipe"]["name"]),
        opset=manifest["opset"],
        megabytes=f"{parity['megabytes']:.1f}",
        corpora=write_credits(training["corpora"]),
        training=json.dumps({key: value for key, value in training.items() if key != "corpora"}, indent=1),
        figures=tabulate(
            ["measure", "value"],
            [[escape_markdown(key), escape_markdown(_format(value))] for key, value in measured.items()],
        ),
        scheme=manifest["quantisation"]["scheme"],
        notes=facts.export_notes,
        parity=tabulate(["measure", "value"], [[key, _format(value)] for key, value in parity.items()]),
        gate=_describe_gate(gate, is_gated=manifest["speech_gate"] is not None),
        licence=escape_markdown(manifest["licence"]),
    )


def _describe_gate(gate: dict[str, Any], *, is_gated: bool) -> str:
    if not is_gated:
        return (
            f"There is none: {escape_markdown(gate['left_out'])}. What the voice activity detector takes for speech is scored, a loud "
            "noise among it."
        )
    rows = [[name.split("/")[0], _format(share)] for name, share in gate["false_accept"].items()]
    return (
        f"A window under a speech probability of {gate['threshold']} is not scored. Fitted on {gate['n_speech']} windows "
        f"of speech and {gate['n_sounds']} synthesised sounds, it turns {gate['miss']['held-out']:.4f} of "
        f"{gate['n_held_out']} held-out windows of speech away. Sounds that pass a gate which never heard their kind:\n\n"
        + tabulate(["kind", "share that passes"], rows)
    )


def _format(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value)
