"""Simulated persons whose notes are counted as the nightly measure of drift counts them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trends.comparing.drift import Drift, DriftCounts

LABELS = ("anger", "happiness", "neutral", "sadness")
N_REFERENCE, N_RECENT = 56, 7  # days
N_BINS = 10
_SPREAD = {"person": 0.6, "day": 0.5, "note": 0.8}  # standard deviations, log odds
_MIDDLE = np.array([-0.5, -0.3, 1.0, 0.2])
_NOTES_A_DAY = 0.8


def measure_installation(
    rng: np.random.Generator, n_persons: int, *, rho: float, shift: float = 0.0, n_leaving: int = 0
) -> Drift:
    """Return what one night of one installation measures.

    Args:
        rng: where chance comes from.
        n_persons: of the installation.
        rho: autocorrelation of a person's days.
        shift: of the log odds of sadness, in the recent days and of everybody.
        n_leaving: how many persons send nothing in the recent days.
    """
    counts = DriftCounts({"labels": len(LABELS)} | dict.fromkeys(LABELS, N_BINS))
    for person in range(n_persons):
        scores, days = _draw_notes(rng, rho=rho, shift=shift)
        is_recent = days >= N_REFERENCE
        if person < n_leaving:
            scores, is_recent = scores[~is_recent], is_recent[~is_recent]
        counts.add(str(person), recent=count_notes(scores[is_recent]), reference=count_notes(scores[~is_recent]))
    return counts.measure(seed=int(rng.integers(2**31)))


def count_notes(scores: NDArray[np.float64]) -> dict[str, list[int]]:
    """Return notes by label and by tenth of each score; scores are float64 (n_notes, 4)."""
    bins = np.minimum((scores * N_BINS).astype(int), N_BINS - 1)
    by_score = {label: np.bincount(bins[:, place], minlength=N_BINS).tolist() for place, label in enumerate(LABELS)}
    top = scores.argmax(axis=1) if len(scores) else np.zeros(0, dtype=int)
    return {"labels": np.bincount(top, minlength=len(LABELS)).tolist()} | by_score


def _draw_notes(rng: np.random.Generator, *, rho: float, shift: float) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    n_days = N_REFERENCE + N_RECENT
    steps = rng.normal(0, _SPREAD["day"], (n_days, len(LABELS)))
    days = np.empty_like(steps)
    days[0] = steps[0]
    for day in range(1, n_days):
        days[day] = rho * days[day - 1] + np.sqrt(1 - rho**2) * steps[day]
    days[N_REFERENCE:, LABELS.index("sadness")] += shift
    of_note = np.repeat(np.arange(n_days), rng.poisson(_NOTES_A_DAY, n_days))
    own = _MIDDLE + rng.normal(0, _SPREAD["person"], len(LABELS))
    logits = own + days[of_note] + rng.normal(0, _SPREAD["note"], (len(of_note), len(LABELS)))
    raised = np.exp(logits)
    return raised / raised.sum(axis=1, keepdims=True), of_note
