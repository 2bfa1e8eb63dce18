"""The figures of a model card in Markdown, as `tonalog evaluate default` prints them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from config.escaping import escape_markdown
from training.corpora.registry import find_layout
from training.measures.slices.measures import MIN_SPEAKERS
from training.measures.slices.records import SliceReport
from training.measures.slices.text import write_markdown
from training.tables import tabulate

TEMPLATES = Path(__file__).parent / "templates"
CALIBRATED_VIEWS = ("clean", "room", "notes-clean", "telephone", "opus16")
MEASURES = ("ua", "wa", "f1", "f1_anger", "f1_happiness", "f1_neutral", "f1_sadness")


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


def say_left_out(evaluation: dict[str, Any]) -> str:
    """Return sentences on corpora that nets were tuned without, and on the untuned encoder."""
    parts = [f"The untuned encoder with a head on the same copies: UA {evaluation['frozen']['clean']:.3f} clean."]
    for name, held in evaluation["left_out"].items():
        parts.append(
            f"Nets tuned without {escape_markdown(find_layout(name).title)}: unweighted recall {held['uar']:.3f} on it "
            f"(one seed alone {format_pair(held['by_seed'])}, untuned {held['frozen']:.3f})."
        )
    return "\n".join(parts)


def describe_elsewhere(rows: list[dict[str, Any]]) -> str:
    """Return how the shipped model does on corpora that it was not trained on: as it is, and with a person's own baseline."""
    if not rows:
        return "None was judged."
    labels = list(rows[0]["recalls"])
    heads = ["corpus", "n", "speakers", "no scores", "UAR (95 %)", *labels, "ECE", "coverage", "error"]
    as_it_is = [
        [
            *_name_corpus(row),
            *(format_share(row["recalls"].get(label)) for label in labels),
            *(format_share(row[name]) for name in ("calibration_error", "coverage", "error")),
        ]
        for row in rows
    ]
    own_heads = ["corpus", "notes", "UAR as it is", "middle mix", "bundle's rule", "ECE", "coverage", "error"]
    own = [
        [
            escape_markdown(row["name"]),
            str(found["n_judged"]),
            format_share(found["as_it_is"]),
            *(format_pair([found[name], found[f"{name}_spread"]]) for name in ("middle", "own")),
            *(format_share(found[name]) for name in ("calibration_error", "coverage", "error")),
        ]
        for row in rows
        if (found := row["baseline"])
    ]
    return fill_template("elsewhere", as_it_is=tabulate(heads, as_it_is), own=tabulate(own_heads, own)).strip()


def _name_corpus(row: Mapping[str, Any]) -> list[str]:
    span = row["interval"] and f" ({row['interval']['low']:.3f} to {row['interval']['high']:.3f})"
    counts = [str(row[name]) for name in ("n", "n_speakers", "n_unscored")]
    return [escape_markdown(row["name"]), *counts, f"{row['recall']:.3f}{span or ''}"]


def format_share(value: float | None) -> str:
    """Return a share, or a dash where there is none."""
    return "-" if value is None else f"{value:.3f}"


def tabulate_ordinary(ordinary: Mapping[str, Mapping[str, Any]]) -> str:
    """Return how ordinary speech is called, one row a set."""
    names = ("neutral", "uncertain", "certain_other")
    rows = [
        [escape_markdown(find_layout(name).title), str(shares["n_windows"]), *(f"{shares[one]:.3f}" for one in names)]
        for name, shares in ordinary.items()
    ]
    return tabulate(["set", "utterances", "neutral", "uncertain", "something else, certain"], rows)


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
        metrics: of the manifest: evaluation, dimensions, gate, int8, final, elsewhere and defects.
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
        left_out=say_left_out(evaluation),
        elsewhere=describe_elsewhere(metrics["elsewhere"]),
        ordinary=tabulate_ordinary(evaluation["ordinary"]),
        coverage=f"{calibration['coverage']:.3f}",
        error=f"{calibration['error']:.3f}",
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
        **list_final(final),
    )


def list_final(final: dict[str, Any]) -> dict[str, Any]:
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
