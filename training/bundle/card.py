"""Fill the model card from a manifest; every figure comes from there and none is typed in."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from training.bundle.credits import has_credits, write_credits
from training.bundle.wording import describe_training
from training.corpora.registry import find_layout
from training.escaping import code_span, escape_markdown
from training.measures.slices.measures import MIN_SPEAKERS
from training.measures.slices.records import SliceReport, read_slices
from training.measures.slices.text import write_markdown
from training.tables import tabulate

TEMPLATES = Path(__file__).parent / "templates"
WHISPER_LICENCE = TEMPLATES / "whisper_licence.txt"
CALIBRATED_VIEWS = ("clean", "room", "notes-clean", "telephone", "opus16")
MEASURES = ("ua", "wa", "f1", "f1_anger", "f1_happiness", "f1_neutral", "f1_sadness")


def fill_card(manifest: Mapping[str, Any], backbone: Any = None) -> str:
    """Return the text of the card of a manifest.

    Args:
        manifest: as `training.bundle.manifest` builds it. Where nothing was measured out of fold, the card says so.
        backbone: facts of the backbone of a net that a recipe without stages trained.
    """
    return _fill_model_card(manifest) if backbone is None else _fill_run_card(manifest, backbone)


def fill_template(name: str, /, **values: Any) -> str:
    """Return a template of this room's folder with its places filled."""
    return Template((TEMPLATES / f"{name}.md").read_text(encoding="utf-8")).substitute(values)


def format_pair(pair: list[float]) -> str:
    """Return a mean and its deviation."""
    return f"{pair[0]:.3f} +- {pair[1]:.3f}"


def tabulate_folds(evaluation: dict[str, Any]) -> str:
    """Return the cross-validation table, one row a view."""
    views = [name for name, view in evaluation.items() if isinstance(view, dict) and "ua" in view]
    rows = [
        [escape_markdown(name), *(format_pair(evaluation[name][measure]) for measure in MEASURES)] for name in views
    ]
    return tabulate(["windows", "UA", "WA", "macro F1", "F1 anger", "F1 happiness", "F1 neutral", "F1 sadness"], rows)


def say_elsewhere(evaluation: dict[str, Any]) -> str:
    """Return sentences on corpora that nets were tuned without, and on the untuned encoder."""
    frozen = evaluation["frozen"]
    if "emodb" in evaluation:  # Up to whisper3-0.5.1 no net was tuned on EmoDB, and the nets of all folds judged it.
        return (
            f"Zero-shot on German (EmoDB, mean of the fold nets): unweighted recall {format_pair(evaluation['emodb']['uar'])}. "
            f"The untuned encoder with a head on\nthe same copies: UA {frozen['clean']:.3f} clean, "
            f"EmoDB {frozen['emodb-clean']:.3f}."
        )
    parts = [f"The untuned encoder with a head on the same copies: UA {frozen['clean']:.3f} clean."]
    for name, held in evaluation["left_out"].items():
        parts.append(
            f"Nets tuned without {escape_markdown(find_layout(name).title)}: unweighted recall {held['uar']:.3f} on it "
            f"(one seed alone {format_pair(held['by_seed'])}, untuned {held['frozen']:.3f})."
        )
    return "\n".join(parts)


def say_seeds(evaluation: dict[str, Any]) -> str:
    """Return a sentence on what nets of one seed alone reach; with one seed there is nothing to say."""
    if len(evaluation["seeds"]) == 1:
        return ""
    facts = ", ".join(f"{escape_markdown(name)} {format_pair(pair)}" for name, pair in evaluation["by_seed"].items())
    return f"\nNets of one seed alone, mean over folds and seeds, and deviation over seeds: {facts}."


def tabulate_gate(false_accept: dict[str, float]) -> str:
    """Return the share of accepted sounds, one row a kind."""
    kinds = sorted({name.split("/")[0] for name in false_accept})
    rows = [
        [escape_markdown(k), *(f"{false_accept[f'{k}/unseen {part}']:.3f}" for part in ("kind", "seed"))] for k in kinds
    ]
    return tabulate(["sound", "kind unheard", "seed unheard"], rows)


def tabulate_dimensions(dimensions: list[dict[str, Any]]) -> str:
    """Return how well arousal and valence hold, one row a measure."""
    rows = [
        [
            escape_markdown(item["measure"]),
            escape_markdown(item["corpus"]),
            str(item["n_utterances"]),
            f"{item['value']:.3f} ({item['low']:.3f} to {item['high']:.3f})",
        ]
        for item in dimensions
    ]
    return tabulate(["measure", "utterances of", "n", "value (95 %)"], rows)


def fill_figures(metrics: dict[str, Any], *, scheme: str, slices: str) -> str:
    """Return the part of the card that holds every figure, in Markdown, as `tonalog evaluate default` prints it.

    Args:
        metrics: of the manifest: evaluation, dimensions, gate, int8, final and defects.
        scheme: of the quantisation.
        slices: Markdown, as `training.measures.slices` writes it.
    """
    evaluation, gate, final, int8 = (metrics[name] for name in ("evaluation", "gate", "final", "int8"))
    calibration = evaluation["calibration"]
    ece = ", ".join(
        f"{view} {calibration[f'ece_{view}'][0]:.3f} to {calibration[f'ece_{view}'][1]:.3f}"
        for view in CALIBRATED_VIEWS
    )
    return fill_template(
        "figures",
        speakers=evaluation["n_speakers"],
        folds=", ".join(map(str, evaluation["folds"])),
        seeds=", ".join(map(str, evaluation["seeds"])),
        cv_table=tabulate_folds(evaluation),
        cost=", ".join(f"{escape_markdown(name)} {lost:.3f}" for name, lost in evaluation["cost"].items()),
        elsewhere=say_elsewhere(evaluation),
        gate_encoder=f"which heard every actor of CREMA-D{' (not EmoDB)' if 'emodb' in evaluation else ''}",
        temperature=f"{calibration['temperature']:.3f}",
        uncertain_below=f"{calibration['uncertain_below']:.2f}",
        ece=ece,
        by_seed=say_seeds(evaluation),
        int8_folds=", ".join(map(str, int8["folds"])),
        ua_changes=", ".join(f"{change:+.4f}" for change in int8["ua_changes"]),
        ua_change=f"{int8['ua_change']:+.4f}",
        ua_float=f"{int8['ua_float32']:.4f}",
        ua_int8=f"{int8['ua_int8']:.4f}",
        n_int8=int8["n_windows"],
        dimensions=tabulate_dimensions(metrics["dimensions"]),
        scheme=escape_markdown(scheme),
        threshold=gate["threshold"],
        miss=", ".join(f"{escape_markdown(view)} {share:.4f}" for view, share in gate["miss"].items()),
        gate_table=tabulate_gate(gate["false_accept"]),
        babble=f"{gate['babble_accepted']:.3f}",
        slices=slices.strip(),
        **_list_final(final),
    )


def _list_final(final: dict[str, Any]) -> dict[str, Any]:
    """Return what the finished graph costs."""
    return {
        "max_dp": f"{final['max_dp']:.3f}",
        "n_final": final["n_windows"],
        "cpu_float": f"{final['ms']['float32'][1]:.0f}",
        "cpu_int8": f"{final['ms']['int8'][1]:.0f}",
        "megabytes": f"{final['megabytes']:.1f}",
        "batch_effect": f"{final['batch_effect']:.1e}",
    }


def say_slices(slices: SliceReport) -> str:
    """Return the slices in Markdown, as the card has them."""
    return write_markdown(slices, min_speakers=MIN_SPEAKERS)


def _find_tune(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the net was tuned; manifests up to whisper3-0.5.1 have its seeds beside it."""
    tune = recipe["stages"]["tune"] if "stages" in recipe else {**recipe["tune"], "seeds": recipe["seeds"]}
    return dict(tune)


def _fill_model_card(manifest: Mapping[str, Any]) -> str:
    metrics, tuned = manifest["metrics"], _find_tune(manifest["training"]["recipe"])
    scheme = manifest["quantisation"]["scheme"]
    if "evaluation" in metrics:
        figures = fill_figures(metrics, scheme=scheme, slices=say_slices(read_slices(metrics["slices"])))
    else:
        figures = fill_template("unmeasured", **_list_final(metrics["final"]))
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
        corpora=_list_corpora(manifest["training"]["corpora"]),
        defects="; ".join(map(escape_markdown, metrics["defects"])),
        figures=figures.strip(),
        revision=code_span(metrics["revision"]),
        **describe_training(manifest["training"]["recipe"]),
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


def _list_corpora(corpora: list[dict[str, Any]]) -> str:
    """Return what the model was made from, in Markdown."""
    return write_credits(corpora) if has_credits(corpora) else fill_template("uncredited").strip()


def main() -> None:
    """Write the card of a published bundle again; manifest and model stay as they are."""
    parser = argparse.ArgumentParser(prog="python -m training.bundle.card", description=__doc__)
    parser.add_argument("bundle", type=Path, help="folder that tonalog export wrote")
    bundle = parser.parse_args().bundle
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    (bundle / "MODEL_CARD.md").write_text(fill_card(manifest), encoding="utf-8")


if __name__ == "__main__":
    main()
