"""What a baseline of n notes does to the labels of a corpus: each note judged against earlier notes of its own speaker."""

from __future__ import annotations

from collections import Counter

import numpy as np

from training.measures.predictions import Predictions
from training.studies.personal.draws import MIXES, ONE_EMOTION, draw_notes, share_labels
from training.studies.personal.outcome import Array, Judged, Outcome, Rows, sum_up
from trends import (
    BaselineRule,
    NotesSummary,
    Reference,
    TenantOffset,
    measure_offset,
    measure_tenant_offset,
    relate_scores,
)
from trends.personal import floor_log_scores

N_NOTES = (0, 1, 3, 5, 10, 30)
N_TENANT_NOTES = 10  # of each other person; as many as there are where there are fewer
TENANT_MIX = "70 % neutral"  # of the other persons, where the judged one has one emotion only
N_SEEDS = 3


def measure_reference(predictions: Predictions, rule: BaselineRule) -> Reference:
    """Return mean log scores by true label: of recordings of training, each scored by a model that did not train on it.

    Raises:
        ValueError: a label has no recording.
    """
    logs = floor_log_scores(predictions.probabilities, rule, n_labels=len(predictions.labels))
    counts = np.bincount(predictions.truth, minlength=len(predictions.labels))
    if not counts.all():
        raise ValueError(f"the reference has no recording of {predictions.labels[int(np.argmin(counts))]}")
    means = [logs[predictions.truth == label].mean(axis=0).tolist() for label in range(len(predictions.labels))]
    return Reference(predictions.labels, tuple(map(tuple, means)))


def measure_corpus(
    name: str,
    predictions: Predictions,
    *,
    reference: Reference,
    rule: BaselineRule,
    n_notes: tuple[int, ...] = N_NOTES,
    n_seeds: int = N_SEEDS,
    seed: int = 0,
) -> list[Outcome]:
    """Judge every note of a corpus with baselines of each mix and size.

    Args:
        name: of the corpus.
        predictions: of one corpus, by models that trained on none of its speakers.
        reference: of the same models.
        rule: how an offset is estimated.
        n_notes: sizes of baseline, 0 or more each.
        n_seeds: draws, at least 1.
        seed: of the first draw; the others follow.

    Returns:
        by mix, then by size; a size that no speaker has notes for is left out.

    Raises:
        ValueError: labels differ from the reference's, an utterance stands twice in one fold, or there is no draw.
    """
    if predictions.labels != reference.labels:
        raise ValueError(f"{name} has labels {list(predictions.labels)}, the reference {list(reference.labels)}")
    if n_seeds < 1 or min(n_notes, default=-1) < 0:
        raise ValueError(f"{n_seeds} draws of {list(n_notes)} notes; needed are 1 or more, of sizes of 0 or more")
    people = group_people(name, predictions)
    outcomes = []
    for mix in MIXES:
        draws = [
            _judge(predictions, people, mix=mix, sizes=n_notes, reference=reference, rule=rule, seed=seed + k)
            for k in range(n_seeds)
        ]
        for size in n_notes:
            judged = [draw[size] for draw in draws]
            if judged[0].rows:
                outcomes.append(sum_up(name, predictions, people, mix=mix, size=size, draws=judged))
    return outcomes


def group_people(name: str, predictions: Predictions) -> list[Rows]:
    """Return the rows of each speaker in each fold, since notes that other models scored are no baseline.

    Raises:
        ValueError: an utterance stands twice in one fold, so that a note could be in its own baseline.
    """
    folds_and_utterances = list(zip(predictions.folds.tolist(), predictions.utterances.tolist(), strict=True))
    (fold, utterance), n_times = Counter(folds_and_utterances).most_common(1)[0]
    if n_times > 1:
        raise ValueError(
            f"{name} has {utterance} {n_times} times in fold {fold}; a note must not be in its own baseline"
        )
    rows_by_person: dict[tuple[str, str], list[int]] = {}
    for row, person in enumerate(zip(predictions.folds.tolist(), predictions.speakers.tolist(), strict=True)):
        rows_by_person.setdefault(person, []).append(row)
    return [np.array(rows, dtype=np.int64) for rows in rows_by_person.values()]


def _judge(
    predictions: Predictions,
    people: list[Rows],
    *,
    mix: str,
    sizes: tuple[int, ...],
    reference: Reference,
    rule: BaselineRule,
    seed: int,
) -> dict[int, Judged]:
    rng = np.random.default_rng([seed, MIXES.index(mix)])
    logs = floor_log_scores(predictions.probabilities, rule, n_labels=len(predictions.labels))
    tenants = _measure_tenants(predictions, people, logs, mix=mix, reference=reference, rule=rule, rng=rng)
    judged = {size: Judged() for size in sizes}
    for rows, tenant in zip(people, tenants, strict=True):
        for row in rows.tolist():
            drawn = draw_baseline(predictions, rows, row, mix=mix, n_notes=max(sizes), rng=rng)
            for size in sizes:
                if size > min(len(drawn), len(rows) - 1):
                    continue
                notes = _summarise(logs, drawn[:size])
                score = predictions.probabilities[row : row + 1]
                own = measure_offset(notes, reference, rule)
                shared = measure_offset(notes, reference, rule, tenant=tenant)
                here = judged[size]
                here.rows.append(row)
                here.own.append(relate_scores(score, own, rule)[0])
                here.shared.append(relate_scores(score, shared, rule)[0])
                here.neutral.append(_share_neutral(predictions, drawn[:size]))
    return judged


def draw_baseline(
    predictions: Predictions, person: Rows, judged: int, *, mix: str, n_notes: int, rng: np.random.Generator
) -> Rows:
    """Draw rows of a person's other notes in a mix; the judged row is not among them.

    Returns:
        int64 (n_notes,), or none where the person has no other note that the mix allows.
    """
    others = person[person != judged]
    shares = share_labels(mix, judged=int(predictions.truth[judged]), labels=predictions.labels)
    drawn: Rows = others[draw_notes(predictions.truth[others], shares, n_notes=n_notes, rng=rng)]
    return drawn


def _measure_tenants(
    predictions: Predictions,
    people: list[Rows],
    logs: Array,
    *,
    mix: str,
    reference: Reference,
    rule: BaselineRule,
    rng: np.random.Generator,
) -> list[TenantOffset]:
    """For each person, what the others of the same fold have in common."""
    shares = share_labels(TENANT_MIX if mix == ONE_EMOTION else mix, judged=0, labels=predictions.labels)
    summaries = []
    for rows in people:
        drawn = draw_notes(predictions.truth[rows], shares, n_notes=min(N_TENANT_NOTES, len(rows)), rng=rng)
        summaries.append(_summarise(logs, rows[drawn]))
    folds = [predictions.folds[rows[0]] for rows in people]
    return [
        measure_tenant_offset(
            [other for place, other in enumerate(summaries) if place != person and folds[place] == folds[person]],
            reference,
            rule,
        )
        for person in range(len(people))
    ]


def _summarise(logs: Array, rows: Rows) -> NotesSummary:
    # As trends.summarise_notes, on logarithms that were taken once for all draws.
    means = logs[rows].mean(axis=0) if len(rows) else np.zeros(logs.shape[1])
    return NotesSummary(len(rows), tuple(means.tolist()))


def _share_neutral(predictions: Predictions, rows: Rows) -> float:
    if not len(rows) or "neutral" not in predictions.labels:
        return 0.0
    return float((predictions.truth[rows] == predictions.labels.index("neutral")).mean())
