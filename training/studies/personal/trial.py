"""What a baseline of n notes does to the labels of a corpus: each note judged against earlier notes of its own speaker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from training.measures.predictions import Predictions
from training.studies.personal.draws import MIXES, NEUTRAL, ONE_EMOTION, draw_notes, share_labels
from training.studies.personal.outcome import Array, Judged, Outcome, Rows, sum_up
from trends import BaselineRule, Notes, Reference, TenantOffset, measure_own_offset, measure_tenant_offset
from trends.estimate import estimate_offsets
from trends.notes import floor_log_scores
from trends.personal import shrink_in_tenant, take_out

N_NOTES = (0, 1, 3, 5, 10, 30)
N_TENANT_NOTES = 10  # of each other person; as many as there are where there are fewer
TENANT_MIX = "70 % neutral"  # of the other persons, where the judged one has one emotion only
N_SEEDS = 3
UNCERTAIN_BELOW = 0.59  # of 0.5.1's absolute scores


@dataclass(frozen=True)
class Protocol:
    """How notes are judged.

    Attributes:
        mixes: of baselines, names of `MIXES`.
        n_notes: sizes of baseline, 0 or more each.
        n_seeds: draws, at least 1.
        seed: of the first draw; the others follow.
        uncertain_below: an absolute confidence under it is uncertain.

    Raises:
        ValueError: there is no draw, or a size is negative.
    """

    mixes: tuple[str, ...] = MIXES
    n_notes: tuple[int, ...] = N_NOTES
    n_seeds: int = N_SEEDS
    seed: int = 0
    uncertain_below: float = UNCERTAIN_BELOW

    def __post_init__(self) -> None:
        """Check once."""
        if self.n_seeds < 1 or min(self.n_notes, default=-1) < 0:
            raise ValueError(
                f"{self.n_seeds} draws of {list(self.n_notes)} notes; needed are 1 or more, of sizes of 0 or more"
            )


@dataclass(frozen=True)
class Draw:
    """Baselines of one mix, drawn once for all rules.

    Attributes:
        drawn: for each note, rows of its speaker's other notes, int64 (n, most); -1 where the mix allows none.
        n_others: how many other notes its speaker has, int64 (n,).
        person: whose it is, index into `people`, int64 (n,).
        people: rows of each speaker.
        tenants: rows of each speaker that others' tenant offset is made of.
    """

    drawn: Rows
    n_others: Rows
    person: Rows
    people: list[Rows]
    tenants: list[Rows]


def measure_reference(predictions: Predictions, rule: BaselineRule) -> Reference:
    """Return mean log scores by true label: of recordings of training, each scored by a model that did not train on it.

    Raises:
        ValueError: a label has no recording.
    """
    logs = floor_log_scores(predictions.probabilities, rule, n_labels=len(predictions.labels))
    counts = np.bincount(predictions.truth, minlength=len(predictions.labels))
    if not counts.all():
        raise ValueError(f"the reference has no recording of {predictions.labels[int(np.argmin(counts))]}")
    # Rounded as people read it in a manifest; a millionth of a natural logarithm changes no label.
    means = [
        logs[predictions.truth == label].mean(axis=0).round(6).tolist() for label in range(len(predictions.labels))
    ]
    return Reference(predictions.labels, tuple(map(tuple, means)))


def measure_corpus(
    name: str,
    predictions: Predictions,
    *,
    reference: Reference,
    rules: Sequence[BaselineRule],
    protocol: Protocol | None = None,
) -> list[Outcome]:
    """Judge every note of a corpus with baselines of each mix and size, by each rule.

    Args:
        name: of the corpus.
        predictions: of one corpus, by models that trained on none of its speakers.
        reference: of the same models.
        rules: how an offset is estimated; all judge the same notes with the same draws.
        protocol: what is drawn.

    Returns:
        by mix, then by size, then by rule; a size that no speaker has notes for is left out.

    Raises:
        ValueError: labels differ from the reference's, or an utterance stands twice in one fold.
    """
    used = protocol or Protocol()
    people = group_people(name, predictions)
    outcomes = []
    for mix in used.mixes:
        draws = [draw_all(predictions, people, mix=mix, protocol=used, seed=used.seed + k) for k in range(used.n_seeds)]
        found: dict[tuple[int, int], list[Judged]] = {}
        for draw in draws:
            for place, rule in enumerate(rules):
                for size, judged in judge(name, predictions, draw, reference=reference, rule=rule, sizes=used.n_notes):
                    found.setdefault((size, place), []).append(judged)
        for size, place in sorted(found):
            rows = found[size, place][0].rows
            outcomes.append(
                sum_up(
                    name,
                    predictions,
                    rule=rules[place],
                    mix=mix,
                    size=size,
                    draws=found[size, place],
                    n_people=len(set(draws[0].person[rows].tolist())),
                    uncertain_below=used.uncertain_below,
                )
            )
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


def draw_all(predictions: Predictions, people: list[Rows], *, mix: str, protocol: Protocol, seed: int) -> Draw:
    """Draw a baseline for every note, and the notes that a tenant's offset is made of."""
    rng = np.random.default_rng([seed, MIXES.index(mix)])
    shares = share_labels(TENANT_MIX if mix == ONE_EMOTION else mix, judged=0, labels=predictions.labels)
    tenants = [
        rows[draw_notes(predictions.truth[rows], shares, n_notes=min(N_TENANT_NOTES, len(rows)), rng=rng)]
        for rows in people
    ]
    most = max(1, *protocol.n_notes)
    drawn = np.full((len(predictions.truth), most), -1, dtype=np.int64)
    person = np.zeros(len(predictions.truth), dtype=np.int64)
    for place, rows in enumerate(people):
        person[rows] = place
        for row in rows.tolist():
            found = draw_baseline(predictions, rows, row, mix=mix, n_notes=most, rng=rng)
            drawn[row, : len(found)] = found
    n_others = np.array([len(rows) - 1 for rows in people], dtype=np.int64)[person]
    return Draw(drawn, n_others, person, people, tenants)


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


def judge(
    name: str, predictions: Predictions, draw: Draw, *, reference: Reference, rule: BaselineRule, sizes: Sequence[int]
) -> Iterator[tuple[int, Judged]]:
    """Judge every note that has a baseline of a size, by one rule.

    Yields:
        size and what it gave; a size that no note has a baseline of is left out.

    Raises:
        ValueError: labels differ from the reference's.
    """
    if predictions.labels != reference.labels:
        raise ValueError(f"{name} has labels {list(predictions.labels)}, the reference {list(reference.labels)}")
    logs = floor_log_scores(predictions.probabilities, rule, n_labels=len(predictions.labels))
    tenants = _measure_tenants(predictions, draw, logs, reference=reference, rule=rule)
    is_neutral = predictions.truth == (predictions.labels.index(NEUTRAL) if NEUTRAL in predictions.labels else -1)
    for size in sizes:
        rows = np.flatnonzero((draw.n_others >= size) & ((draw.drawn[:, 0] >= 0) | (size == 0)))
        if not len(rows):
            continue
        baselines = draw.drawn[rows, :size]
        priors = np.array([tenants[place].values for place in draw.person[rows]])
        shrinks = np.array([shrink_in_tenant(tenants[place], rule) for place in draw.person[rows]])

        def relate(prior: Array, shrink: Array, baselines: Rows = baselines, rows: Rows = rows) -> Array:
            offsets = estimate_offsets(
                logs[baselines], np.ones(baselines.shape), prior=prior, shrink=shrink, reference=reference, rule=rule
            )
            is_moved = offsets.any(axis=1, keepdims=True)
            return np.where(is_moved, take_out(logs[rows], offsets, rule), predictions.probabilities[rows])

        own = relate(np.zeros_like(priors), np.full(len(rows), rule.shrink_notes))
        shared = relate(priors, shrinks)
        share = float(is_neutral[baselines].mean()) if size else 0.0
        yield size, Judged(rows, own, shared, share)


def _measure_tenants(
    predictions: Predictions, draw: Draw, logs: Array, *, reference: Reference, rule: BaselineRule
) -> list[TenantOffset]:
    """For each person, what the others of the same fold have in common."""
    owns = [measure_own_offset(Notes(logs[rows], np.ones(len(rows))), reference, rule) for rows in draw.tenants]
    folds = [predictions.folds[rows[0]] for rows in draw.people]
    return [
        measure_tenant_offset(
            [own for place, own in enumerate(owns) if place != person and folds[place] == folds[person]],
            reference,
            rule,
        )
        for person in range(len(draw.people))
    ]
