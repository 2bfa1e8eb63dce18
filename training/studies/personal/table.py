"""The tables of `tonalog evaluate personal`, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.studies.personal.calibrate import CalibrationOutcome
from training.studies.personal.outcome import WAYS, Outcome


def format_tables(outcomes: Sequence[Outcome]) -> list[str]:
    """Return lines: one table of all corpora, and one of mean UAR and worst change over them.

    Args:
        outcomes: of all corpora, at least one.
    """
    return [*_format_corpora(outcomes), "", *_format_means(outcomes)]


def format_ordinary(outcomes: Sequence[Outcome]) -> list[str]:
    """Return lines: what ordinary speech is called, absolute and relative to its speakers' other notes."""
    heads = ["ordinary speech", "rule", "n", "notes", "people", *(f"neutral, {way}" for way in WAYS)]
    heads += [f"certain and wrong, {way}" for way in WAYS]
    rows = [
        [outcome.corpus, str(outcome.rule), str(outcome.n_notes), str(outcome.n_judged), str(outcome.n_people)]
        + [f"{share:.3f}" for share in (*outcome.calm, *outcome.calm_certain_wrong)]
        for outcome in outcomes
    ]
    return _format_rows(heads, rows)


def format_calibration(outcomes: Sequence[CalibrationOutcome]) -> list[str]:
    """Return lines: calibration of each corpus with what was chosen on the others."""
    heads = [
        "scores",
        "rule",
        "corpus",
        "ECE",
        "temperature of the others",
        "ECE with it",
        "uncertain below",
        "coverage",
        "error",
    ]
    rows = [
        [
            outcome.way,
            str(outcome.rule or "-"),
            outcome.corpus,
            f"{outcome.ece:.3f}",
            f"{outcome.temperature:.2f}",
            f"{outcome.ece_fitted:.3f}",
            f"{outcome.uncertain_below:.2f}",
            f"{outcome.coverage:.2f}",
            f"{outcome.error:.2f}",
        ]
        for outcome in outcomes
    ]
    return _format_rows(heads, rows)


def _format_corpora(outcomes: Sequence[Outcome]) -> list[str]:
    heads = ["corpus", "baseline", "n", "rule", "neutral", "judged", "people"]
    heads += [f"UAR {way}" for way in WAYS] + [f"ECE {way}" for way in WAYS]
    rows = [
        [
            outcome.corpus,
            outcome.mix,
            str(outcome.n_notes),
            str(outcome.rule),
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
    heads = ["baseline", "n", "rule", "corpora", *(f"mean UAR {way}" for way in WAYS)]
    heads += [f"worst change, {way}" for way in WAYS[1:]]
    heads += [f"calm called neutral, {way}" for way in WAYS]
    cases = list(dict.fromkeys((outcome.mix, outcome.n_notes, outcome.rule) for outcome in outcomes))
    rows = []
    for case in cases:
        here = [outcome for outcome in outcomes if (outcome.mix, outcome.n_notes, outcome.rule) == case]
        recalls = np.array([outcome.recalls for outcome in here])
        worst = (recalls[:, 1:] - recalls[:, :1]).argmin(axis=0)
        changes = [
            f"{recalls[place, 1 + way] - recalls[place, 0]:+.3f} ({here[place].corpus})"
            for way, place in enumerate(worst.tolist())
        ]
        means = [f"{mean:.3f}" for mean in recalls.mean(axis=0).tolist()]
        calm = [f"{mean:.3f}" for mean in np.mean([outcome.calm for outcome in here], axis=0).tolist()]
        rows.append([*map(str, case), str(len(here)), *means, *changes, *calm])
    return _format_rows(heads, rows)


def _format_rows(heads: list[str], rows: list[list[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines]
