"""Accuracy and uncertainty of groups of speakers with intervals by speaker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from training.measures.bootstrap import COVERAGE, Interval, draw_confusions
from training.measures.metrics import count_confusion
from training.measures.predictions import Predictions
from training.measures.slices.records import Difference, Figure, Slice, SliceReport, Spread

N_DRAWS = 20_000  # A corrected interval of 24 comparisons lies in tails of 0.1 %: 20 draws each.
MIN_SPEAKERS = 5  # Groups of fewer are left out: their figures would be of persons, and have no interval to speak of.
ALL = "everybody"
QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
Array = NDArray[np.float64]
Tables = NDArray[np.int64]  # (..., 2, n_labels, n_labels): confusion of all utterances, and of those that are certain


def measure_ua(tables: Tables) -> Array:
    """Return UA of all utterances: mean recall over the labels that occur; (...) from (..., 2, n_labels, n_labels)."""
    everything = tables[..., 0, :, :]
    rows = everything.sum(axis=-1)
    recall = np.diagonal(everything, axis1=-2, axis2=-1) / np.maximum(rows, 1)
    return np.asarray(recall.sum(axis=-1) / np.maximum((rows > 0).sum(axis=-1), 1), dtype=np.float64)


def measure_uncertain(tables: Tables) -> Array:
    """Return the share of utterances that are called uncertain."""
    counts = tables.sum(axis=(-2, -1))
    return np.asarray(1.0 - counts[..., 1] / np.maximum(counts[..., 0], 1), dtype=np.float64)


def measure_certain_error(tables: Tables) -> Array:
    """Return the share of wrong among the certain; 0 where none is certain."""
    certain = tables[..., 1, :, :]
    n_certain = certain.sum(axis=(-2, -1))
    n_right = np.diagonal(certain, axis1=-2, axis2=-1).sum(axis=-1)
    return np.asarray((n_certain - n_right) / np.maximum(n_certain, 1), dtype=np.float64)


MEASURES: dict[str, Callable[[Tables], Array]] = {
    "UA": measure_ua,
    "uncertain": measure_uncertain,
    "error when certain": measure_certain_error,
}


def measure_slices(
    predictions: Predictions,
    groups: Mapping[str, Mapping[str, frozenset[str]]],
    *,
    uncertain_below: float,
    seed: int = 0,
    n_draws: int = N_DRAWS,
) -> SliceReport:
    """Measure every group and compare the groups of each attribute pair by pair.

    Args:
        predictions: out of fold.
        groups: for each attribute, speakers by group.
        uncertain_below: a prediction under this confidence, in [0, 1], is uncertain.
        seed: of the bootstrap; every group draws from a seed of its own.
        n_draws: of the bootstrap, 1 or more.

    Raises:
        ValueError: there are fewer than `MIN_SPEAKERS` speakers in all.
    """
    speakers = np.unique(predictions.speakers)
    if len(speakers) < MIN_SPEAKERS:
        raise ValueError(f"{len(speakers)} speakers; {MIN_SPEAKERS} or more are needed for an interval")
    by_speaker = {str(s): _count(predictions, predictions.speakers == s, uncertain_below) for s in speakers}
    named = {(attribute, name): group for attribute, parts in groups.items() for name, group in parts.items()}
    keys = [key for key, group in named.items() if len(group) >= MIN_SPEAKERS]
    members = {(ALL, ALL): frozenset(by_speaker)} | {key: named[key] for key in keys}
    tables = {key: np.stack([by_speaker[s] for s in sorted(group)]) for key, group in members.items()}
    drawn = {
        key: draw_confusions(table, seed=seed + number, n_draws=n_draws)
        for number, (key, table) in enumerate(tables.items())
    }
    slices = [_measure_slice(predictions, key, members[key], tables[key], drawn[key]) for key in members]
    return SliceReport(
        uncertain_below,
        seed,
        n_draws,
        len(named) - len(keys),
        slices[0],
        tuple(slices[1:]),
        _compare(tables, drawn, keys),
        _spread(tables[ALL, ALL]),
    )


def _count(predictions: Predictions, mine: NDArray[np.bool_], uncertain_below: float) -> Tables:
    certain = mine & (predictions.probabilities.max(axis=1) >= uncertain_below)
    n_labels = len(predictions.labels)
    return np.stack([count_confusion(predictions.truth[w], predictions.guess[w], n_labels) for w in (mine, certain)])


def _measure_slice(
    predictions: Predictions, key: tuple[str, str], members: frozenset[str], tables: Tables, drawn: Tables
) -> Slice:
    mine = np.isin(predictions.speakers, sorted(members))
    pooled = tables.sum(axis=0)
    figures = {
        name: Figure(float(measure(pooled)), _bound(measure(drawn), 1.0 - COVERAGE))
        for name, measure in MEASURES.items()
    }
    recall = np.diag(pooled[0]) / np.maximum(pooled[0].sum(axis=1), 1)
    return Slice(
        *key,
        len(members),
        int(mine.sum()),
        figures,
        dict(zip(predictions.labels, recall.tolist(), strict=True)),
    )


def _compare(
    tables: Mapping[tuple[str, str], Tables], drawn: Mapping[tuple[str, str], Tables], keys: list[tuple[str, str]]
) -> tuple[Difference, ...]:
    pairs = [(a, b) for a, b in combinations(keys, 2) if a[0] == b[0]]
    n_comparisons = len(pairs) * len(MEASURES)
    result: list[Difference] = []
    for name, measure in MEASURES.items():
        for a, b in pairs:
            value = float(measure(tables[a].sum(axis=0)) - measure(tables[b].sum(axis=0)))
            values = measure(drawn[a]) - measure(drawn[b])
            plain, corrected = (_bound(values, (1.0 - COVERAGE) / n) for n in (1, n_comparisons))
            result.append(Difference(a[0], a[1], b[1], name, value, plain, corrected))
    return tuple(result)


def _bound(values: Array, left_out: float) -> Interval:
    low, high = np.quantile(values, [left_out / 2, 1 - left_out / 2])
    return Interval(float(low), float(high))


def _spread(tables: Tables) -> Spread:
    values = measure_ua(tables)
    everything = tables[:, 0]
    n = np.maximum(everything.sum(axis=2), 1)  # (n_speakers, n_labels)
    pooled = everything.sum(axis=0)
    recall = np.diag(pooled) / np.maximum(pooled.sum(axis=1), 1)
    # Variance of a mean of independent shares: the sum of p (1 - p) / n over the squared number of labels.
    by_chance = (recall * (1 - recall) / n).sum(axis=1) / len(recall) ** 2
    quantiles = {q: float(np.quantile(values, q)) for q in QUANTILES}
    return Spread(quantiles, float(values.std(ddof=1)) if len(values) > 1 else 0.0, float(np.sqrt(by_chance.mean())))
