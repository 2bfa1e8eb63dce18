"""The tables of `tonalog evaluate personal`, in Markdown: every corpus, then mean and worst over corpora."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.studies.personal.outcome import Outcome

_WAYS = ("as it is", "own", "own and tenant")


def format_tables(outcomes: Sequence[Outcome]) -> list[str]:
    """Return lines: one table of all corpora, and one of mean UAR and worst change over them.

    Args:
        outcomes: of all corpora, at least one.
    """
    return [*_format_corpora(outcomes), "", *_format_means(outcomes)]


def _format_corpora(outcomes: Sequence[Outcome]) -> list[str]:
    heads = ["corpus", "baseline", "n", "neutral", "judged", "people"]
    heads += [f"UAR {way}" for way in _WAYS] + [f"ECE {way}" for way in _WAYS]
    rows = [
        [
            outcome.corpus,
            outcome.mix,
            str(outcome.n_notes),
            f"{outcome.neutral_share:.2f}",
            str(outcome.n_judged),
            str(outcome.n_people),
            f"{outcome.recalls[0]:.3f}",
            *(
                f"{mean:.3f} +- {spread:.3f}"
                for mean, spread in zip(outcome.recalls[1:], outcome.spreads[1:], strict=True)
            ),
            *(f"{error:.3f}" for error in outcome.calibration_errors),
        ]
        for outcome in outcomes
    ]
    return _format_rows(heads, rows)


def _format_means(outcomes: Sequence[Outcome]) -> list[str]:
    heads = ["baseline", "n", "corpora", *(f"mean UAR {way}" for way in _WAYS)]
    heads += [f"worst change, {way}" for way in _WAYS[1:]]
    cases = list(dict.fromkeys((outcome.mix, outcome.n_notes) for outcome in outcomes))
    rows = []
    for mix, n_notes in cases:
        here = [outcome for outcome in outcomes if (outcome.mix, outcome.n_notes) == (mix, n_notes)]
        recalls = np.array([outcome.recalls for outcome in here])
        worst = (recalls[:, 1:] - recalls[:, :1]).argmin(axis=0)
        changes = [
            f"{recalls[place, 1 + way] - recalls[place, 0]:+.3f} ({here[place].corpus})"
            for way, place in enumerate(worst.tolist())
        ]
        means = [f"{mean:.3f}" for mean in recalls.mean(axis=0).tolist()]
        rows.append([mix, str(n_notes), str(len(here)), *means, *changes])
    return _format_rows(heads, rows)


def _format_rows(heads: list[str], rows: list[list[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines]
