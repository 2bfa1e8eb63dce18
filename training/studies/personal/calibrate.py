"""Temperature and threshold of relative scores, each corpus judged with what was chosen on the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.measures import metrics
from training.measures.predictions import Predictions
from training.studies.personal.outcome import Array, Rows
from training.studies.personal.trial import Protocol, draw_all, group_people, judge
from trends import BaselineRule, Reference

CASE_MIX, CASE_N_NOTES = "70 % neutral", 10
MAX_ERROR = (
    0.20  # of certain relative labels: acted emotions of unheard languages; a tenth would leave a third of the notes
)


@dataclass(frozen=True)
class Scored:
    """Log scores and truth of a corpus, one way of looking at it: absolute, own, or own and tenant."""

    log_scores: Array
    truth: Rows


@dataclass(frozen=True)
class CalibrationOutcome:
    """Figures of one corpus, one rule and one way, with what was chosen on the other corpora.

    Attributes:
        corpus: its name; `all` where everything was chosen on and judged by all.
        rule: version; 0 for absolute scores.
        way: absolute, own, or own and tenant.
        ece: expected calibration error of the scores as they are, relative ones with the rule's temperature.
        temperature: of least log loss on the others, each corpus counting the same, in place of the rule's.
        ece_fitted: with that temperature.
        uncertain_below: lowest confidence from which on at most `MAX_ERROR` of the others' labels are wrong, of the scores as they are.
        coverage: share of this corpus at or over it.
        error: share of wrong labels among those.
    """

    corpus: str
    rule: int
    way: str
    ece: float
    temperature: float
    ece_fitted: float
    uncertain_below: float
    coverage: float
    error: float


def measure_calibration(
    corpora: Mapping[str, Predictions],
    *,
    reference: Reference,
    rules: Sequence[BaselineRule],
    protocol: Protocol,
) -> list[CalibrationOutcome]:
    """Choose temperature and threshold on all corpora but one, for each, and on all for the manifest.

    Returns:
        by way, then by corpus with `all` at the end; nothing with fewer than two corpora.

    Raises:
        ValueError: labels differ from the reference's.
    """
    ways: dict[tuple[int, str], dict[str, Scored]] = {}
    shipped = {rule.version: rule.temperature for rule in rules}
    for name, predictions in corpora.items():
        draw = draw_all(
            predictions, group_people(name, predictions), mix=CASE_MIX, protocol=protocol, seed=protocol.seed
        )
        absolute = np.log(np.maximum(predictions.probabilities, rules[0].floor))
        ways.setdefault((0, "absolute"), {})[name] = Scored(absolute, predictions.truth)
        for rule in rules:
            plain = replace(rule, temperature=1.0)  # the rule's own is applied where scores are judged
            for _, judged in judge(
                name,
                predictions,
                draw,
                reference=reference,
                rule=plain,
                sizes=(min(CASE_N_NOTES, draw.drawn.shape[1]),),
            ):
                truth = predictions.truth[judged.rows]
                for way, scores in (("own", judged.own), ("own and tenant", judged.shared)):
                    ways.setdefault((rule.version, way), {})[name] = Scored(np.log(np.maximum(scores, 1e-12)), truth)
    return [
        _judge_corpus(corpus, version, way, scored, shipped.get(version, 1.0))
        for (version, way), scored in ways.items()
        if len(scored) > 1
        for corpus in (*scored, "all")
    ]


def _judge_corpus(
    corpus: str, version: int, way: str, scored: Mapping[str, Scored], shipped: float
) -> CalibrationOutcome:
    chosen_on = [one for name, one in scored.items() if name != corpus]
    judged = [scored[corpus]] if corpus in scored else list(scored.values())
    temperature, limit = fit_temperature(chosen_on), choose_limit(chosen_on, shipped)
    figures = []
    for one in judged:
        as_shipped, fitted = (metrics.apply_softmax(one.log_scores, by) for by in (shipped, temperature))
        _, coverage, error = metrics.trace_risk_coverage(as_shipped, one.truth, np.array([limit]))[0]
        eces = (metrics.measure_calibration_error(scores, one.truth) for scores in (as_shipped, fitted))
        figures.append((*eces, coverage, error))
    ece, ece_fitted, coverage, error = np.mean(figures, axis=0).tolist()
    return CalibrationOutcome(corpus, version, way, ece, temperature, ece_fitted, limit, coverage, error)


def fit_temperature(scored: Sequence[Scored]) -> float:
    """Return the temperature of least log loss, the mean over corpora."""

    def lose(temperature: float) -> float:
        rows = (metrics.apply_softmax(one.log_scores, temperature) for one in scored)
        return float(
            np.mean([metrics.measure_log_loss(*pair) for pair in zip(rows, (one.truth for one in scored), strict=True)])
        )

    return round(metrics.find_temperature(lose), 3)


def choose_limit(scored: Sequence[Scored], temperature: float) -> float:
    """Return the lowest confidence from which on at most `MAX_ERROR` of the labels are wrong, the mean over corpora; else 0.99."""
    curves = np.array(
        [
            metrics.trace_risk_coverage(
                metrics.apply_softmax(one.log_scores, temperature), one.truth, metrics.THRESHOLDS
            )
            for one in scored
        ]
    ).mean(axis=0)
    is_good = np.logical_and.accumulate((curves[:, 2] <= MAX_ERROR)[::-1])[::-1]
    return float(metrics.THRESHOLDS[int(np.argmax(is_good))]) if is_good.any() else float(metrics.THRESHOLDS[-1])
