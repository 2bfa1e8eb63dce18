"""The first page of a model card: what a person wants to know before any table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from config.escaping import escape_markdown
from training.corpora.registry import find_layout
from training.tables import tabulate

HEADER = ["asked of", "what", "figure"]


def tabulate_glance(metrics: Mapping[str, Any]) -> str:
    """Return a table of the figures that matter most, each of what the model, or the net that was asked, never heard.

    Args:
        metrics: of a manifest, measured.
    """
    evaluation, gate = metrics["evaluation"], metrics["gate"]
    rows = [
        [
            "acted English, unheard actors (CREMA-D)",
            "recall, the mean over four emotions",
            f"{evaluation['clean']['ua'][0]:.2f}",
        ],
        ["the same by telephone; through Opus", "recall lost", _join(evaluation["cost"], "telephone", "opus16")],
        *(
            [f"{escape_markdown(find_layout(name).title)}, by nets tuned without it", "recall", f"{held['uar']:.2f}"]
            for name, held in evaluation["left_out"].items()
        ),
        *_list_elsewhere(metrics["elsewhere"]),
        *_list_ordinary(evaluation["ordinary"]),
        [
            "sounds without speech, of unheard kinds",
            "taken for speech, the mean over kinds",
            f"{_average_unseen(gate):.3f}",
        ],
        ["babble of many voices", "taken for speech", f"{gate['babble_accepted']:.3f}"],
        ["a window of 8 s, one thread", "CPU time; size of the file", _say_cost(metrics["final"])],
    ]
    return tabulate(HEADER, rows)


def _join(values: Mapping[str, float], *names: str) -> str:
    return "; ".join(f"{values[name]:.3f}" for name in names)


def _list_elsewhere(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    result = []
    for row in rows:
        own, as_it_is = row["baseline"], f"{row['recall']:.2f}"
        text = (
            as_it_is
            if own is None
            else f"{as_it_is}; of the notes that have a baseline {own['as_it_is']:.2f} and {own['own']:.2f}"
        )
        what = "recall as it is" if own is None else "recall as it is; without and with a person's own baseline"
        result.append([f"{escape_markdown(row['name'])}: never trained on", what, text])
    return result


def _list_ordinary(ordinary: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    if not ordinary:
        return []
    neutral, other = (np.array([shares[name] for shares in ordinary.values()]) for name in ("neutral", "certain_other"))
    what = f"ordinary speech, {len(ordinary)} sets, by nets tuned without them"
    return [
        [what, "called neutral: mean; worst set", f"{neutral.mean():.2f}; {neutral.min():.2f}"],
        [what, "called something else with certainty: mean; worst set", f"{other.mean():.3f}; {other.max():.3f}"],
    ]


def _average_unseen(gate: Mapping[str, Any]) -> float:
    return float(np.mean([share for name, share in gate["false_accept"].items() if name.endswith("/unseen kind")]))


def _say_cost(final: Mapping[str, Any]) -> str:
    return f"{final['ms']['int8'][1]:.0f} ms; {final['megabytes']:.1f} MB"
