"""Fill the model card from a manifest and the printed slices; every figure comes from a script's output and none is typed in."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from string import Template
from typing import Any

TEMPLATE = Path(__file__).with_name("card_template.md")
WHISPER_LICENCE = Path(__file__).with_name("whisper_licence.txt")
CALIBRATED_VIEWS = ("clean", "room", "notes-clean", "telephone", "opus16")
MEASURES = ("ua", "wa", "f1", "f1_anger", "f1_happiness", "f1_neutral", "f1_sadness")
GATE_VIEWS = (
    "clean",
    "room",
    "phone",
    "notes-clean",
    "snr10",
    "snr5",
    "telephone",
    "opus16",
    "emodb-clean",
)


def format_pair(pair: list[float]) -> str:
    """Return a mean and its deviation."""
    return f"{pair[0]:.3f} +- {pair[1]:.3f}"


def tabulate(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def tabulate_folds(evaluation: dict[str, Any]) -> str:
    """Return the cross-validation table, one row a view."""
    views = [name for name, one in evaluation.items() if isinstance(one, dict) and "ua" in one]
    rows = [[name, *(format_pair(evaluation[name][measure]) for measure in MEASURES)] for name in views]
    return tabulate(["windows", "UA", "WA", "macro F1", "F1 anger", "F1 happiness", "F1 neutral", "F1 sadness"], rows)


def tabulate_gate(false_accept: dict[str, float]) -> str:
    """Return the share of accepted sounds, one row a kind."""
    kinds = sorted({name.split("/")[0] for name in false_accept})
    rows = [[k, *(f"{false_accept[f'{k}/unseen {part}']:.3f}" for part in ("kind", "seed"))] for k in kinds]
    return tabulate(["sound", "kind unheard", "seed unheard"], rows)


def fill_card(manifest: dict[str, Any], *, slices: str) -> str:
    """Return the text of the card of a manifest.

    Args:
        manifest: as `training.whisper3.publish` builds it.
        slices: Markdown, as `training.slices` printed it.
    """
    results = manifest["metrics"]
    evaluation, gate, final = results["evaluation"], results["gate"], results["final"]
    int8 = results["int8"]
    calibration = evaluation["calibration"]
    ece = ", ".join(
        f"{view} {calibration[f'ece_{view}'][0]:.3f} to {calibration[f'ece_{view}'][1]:.3f}"
        for view in CALIBRATED_VIEWS
    )
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        name=manifest["name"],
        version=manifest["version"],
        uncertain_below=f"{manifest['uncertain_below']:.2f}",
        temperature=f"{manifest['temperature']:.3f}",
        opset=manifest["opset"],
        scheme=manifest["quantisation"]["scheme"],
        speakers=evaluation["n_speakers"],
        folds=", ".join(map(str, evaluation["folds"])),
        defects="; ".join(results["defects"]),
        cv_table=tabulate_folds(evaluation),
        cost=", ".join(f"{name} {lost:.3f}" for name, lost in evaluation["cost"].items()),
        frozen_clean=f"{evaluation['frozen']['clean']:.3f}",
        frozen_emodb=f"{evaluation['frozen']['emodb-clean']:.3f}",
        int8_fold=int8["fold"],
        emodb_uar=format_pair(evaluation["emodb"]["uar"]),
        ece=ece,
        ua_change=f"{int8['ua_change']:+.4f}",
        ua_float=f"{int8['ua_float32']:.4f}",
        ua_int8=f"{int8['ua_int8']:.4f}",
        n_int8=int8["n_windows"],
        max_dp=f"{final['max_dp']:.3f}",
        n_final=final["n_windows"],
        cpu_float=f"{final['ms']['float32'][1]:.0f}",
        cpu_int8=f"{final['ms']['int8'][1]:.0f}",
        megabytes=f"{final['megabytes']:.1f}",
        batch_effect=f"{final['batch_effect']:.1e}",
        threshold=manifest["speech_gate"]["threshold"],
        miss=", ".join(f"{view} {gate['miss'][view]:.4f}" for view in GATE_VIEWS),
        gate_table=tabulate_gate(gate["false_accept"]),
        slices=slices.strip(),
        babble=f"{gate['babble_accepted']:.3f}",
        revision=results["revision"],
        whisper_licence=WHISPER_LICENCE.read_text(encoding="utf-8").strip(),
    )


def write_card(manifest: dict[str, Any], target: Path, *, slices: str) -> None:
    """Write the card of a manifest."""
    target.write_text(fill_card(manifest, slices=slices), encoding="utf-8")


def main() -> None:
    """Write the card of a published bundle again; manifest and model stay as they are."""
    parser = argparse.ArgumentParser(prog="python -m training.whisper3.card", description=__doc__)
    parser.add_argument("bundle", type=Path, help="folder with manifest.json, as training.whisper3.publish wrote it")
    parser.add_argument("--slices", type=Path, required=True, help="slices.md of training.slices")
    arguments = parser.parse_args()
    manifest = json.loads((arguments.bundle / "manifest.json").read_text(encoding="utf-8"))
    write_card(manifest, arguments.bundle / "MODEL_CARD.md", slices=arguments.slices.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
