"""Fill the model card from a manifest; every figure comes from there and none is typed in."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.escaping import code_span, escape_markdown
from training.bundle.credits import write_credits
from training.bundle.figures import TEMPLATES, fill_figures, fill_template, list_final, say_slices
from training.bundle.glance import tabulate_glance
from training.measures.slices.records import read_slices
from training.nets.shape import FRAME_S
from training.tables import tabulate

WHISPER_LICENCE = TEMPLATES / "whisper_licence.txt"
HALVED = " (at half the frame rate from the first one's queries on)"


def fill_card(manifest: Mapping[str, Any], backbone: Any = None) -> str:
    """Return the text of the card of a manifest.

    Args:
        manifest: as `training.bundle.manifest` builds it. Where nothing was measured out of fold, the card says so.
        backbone: facts of the backbone of a net that a recipe without stages trained.
    """
    return _fill_model_card(manifest) if backbone is None else _fill_run_card(manifest, backbone)


def _fill_model_card(manifest: Mapping[str, Any]) -> str:
    metrics, stages = manifest["metrics"], manifest["training"]["recipe"]["stages"]
    tuned, shape = stages["tune"], stages["encoder"]
    scheme = manifest["quantisation"]["scheme"]
    if "evaluation" in metrics:
        figures = fill_figures(metrics, scheme=scheme, slices=say_slices(read_slices(metrics["slices"])))
        glance = tabulate_glance(metrics)
    else:
        glance = "**Nothing was measured on unheard speakers.**"
        figures = fill_template("unmeasured", **list_final(metrics["final"]))
    return fill_template(
        "model",
        name=escape_markdown(manifest["name"]),
        version=escape_markdown(manifest["version"]),
        uncertain_below=f"{manifest['uncertain_below']:.2f}",
        temperature=f"{manifest['temperature']:.3f}",
        opset=manifest["opset"],
        hidden=f"{tuned['hidden']:.1f}",
        votes=f"{tuned['votes']:.1f}",
        kept=f"{tuned['kept']:.1f}",
        n_seeds=len(tuned["seeds"]),
        scheme=escape_markdown(scheme),
        corpora=write_credits(manifest["training"]["corpora"]),
        defects="; ".join(map(escape_markdown, metrics["defects"])),
        figures=figures.strip(),
        revision=code_span(metrics["revision"]),
        glance=glance,
        halving="" if shape["halving"] == "never" else HALVED,
        longest_s=f"{shape['n_positions'] * FRAME_S:.0f}",
        whisper_licence=WHISPER_LICENCE.read_text(encoding="utf-8").strip(),
    )


def _fill_run_card(manifest: Mapping[str, Any], backbone: Any) -> str:
    training, measured = manifest["training"], dict(manifest["metrics"])
    parity, gate = measured.pop("parity"), measured.pop("gate")
    return fill_template(
        "run",
        name=escape_markdown(manifest["name"]),
        version=escape_markdown(manifest["version"]),
        backbone=backbone.name,
        source=backbone.source,
        recipe=code_span(training["recipe"]["name"]),
        opset=manifest["opset"],
        megabytes=f"{parity['megabytes']:.1f}",
        corpora=write_credits(training["corpora"]),
        training=json.dumps({key: value for key, value in training.items() if key != "corpora"}, indent=1),
        figures=_tabulate_values(measured),
        scheme=manifest["quantisation"]["scheme"],
        notes=backbone.export_notes,
        parity=_tabulate_values(parity),
        gate=_describe_gate(gate, is_gated=manifest["speech_gate"] is not None),
        licence=escape_markdown(manifest["licence"]),
    )


def _tabulate_values(values: Mapping[str, Any]) -> str:
    return tabulate(
        ["measure", "value"], [[escape_markdown(key), escape_markdown(_format(value))] for key, value in values.items()]
    )


def _describe_gate(gate: Mapping[str, Any], *, is_gated: bool) -> str:
    if not is_gated:
        return (
            f"There is none: {escape_markdown(gate['left_out'])}. What the voice activity detector takes for speech is scored, a "
            "loud noise among it."
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


def main() -> None:
    """Write the card of a published bundle again; manifest and model stay as they are."""
    parser = argparse.ArgumentParser(prog="python -m training.bundle.card", description=__doc__)
    parser.add_argument("bundle", type=Path, help="folder that tonalog bundle wrote")
    bundle = parser.parse_args().bundle
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    (bundle / "MODEL_CARD.md").write_text(fill_card(manifest), encoding="utf-8")


if __name__ == "__main__":
    main()
