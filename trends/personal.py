r"""What is usual for a person, and scores relative to that.

A model's scores hold a part that belongs to the speaker, device, room and language and not to the emotion. On the log scale that
part is nearly a constant for a person, so that it can be estimated from earlier notes and taken out:

- Offset: the mean log scores of n notes minus the mean that the model's reference expects of notes in an assumed
  mix, ``mean_i log s_i - sum_c mix_c reference_c``. Subtracting it is cepstral mean subtraction (Furui 1981, "Cepstral
  analysis technique for automatic speaker verification") at the output of the model instead of at its input.
- Shrinkage: ``w = n / (n + shrink_notes)``, the person's offset is ``w own + (1 - w) tenant``. It is the credibility
  estimate of a mean (Buehlmann and Straub 1970, "Glaubwuerdigkeit fuer Schadensaetze"), the best linear one if offsets
  vary between persons and scores within a person, with ``shrink_notes`` the ratio of both variances.
- The tenant's offset: the mean over persons, weighted by their ``w`` as there, and shrunk towards none by ``W / (W + shrink_persons)``
  with W the sum of the weights.
- Relative scores: ``softmax(log s - offset)``.

Relative scores say what is unusual for this person, and absolute scores what the model hears. If all notes of a person hold
one emotion, the baseline is that emotion: right for a trend, and wrong as a label.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trends.rule import BaselineRule, Reference

SUM_TOLERANCE = 1e-3  # scores are float32 and may have been printed with six digits


class BaselineState(StrEnum):
    """How much is known of what is usual for a person."""

    INSUFFICIENT = "insufficient"  # fewer notes than the rule's min_notes: no statement about this person
    PERSONAL = "personal"


@dataclass(frozen=True)
class NotesSummary:
    """All that a baseline needs of some notes: it can be stored and needs no score again.

    Attributes:
        n_notes: 0 or more.
        mean_log_scores: means of the natural logarithms of floored scores, one a label; zeros without notes.
    """

    n_notes: int
    mean_log_scores: tuple[float, ...]


@dataclass(frozen=True)
class TenantOffset:
    """What the scores of a tenant's persons have in common: devices, language, rooms.

    Attributes:
        values: shrunk towards none, natural logarithms, one a label.
        n_persons: who had at least one note.
    """

    values: tuple[float, ...]
    n_persons: int


@dataclass(frozen=True)
class Offset:
    """What to take from a person's log scores.

    Attributes:
        values: natural logarithms, one a label; all 0 where nothing is known.
        n_notes: of the person, behind it.
        n_persons: of the tenant, behind it.
        state: whether words may call a relative score unusual for this person.
        rule_version: of the rule that made it.
    """

    values: tuple[float, ...]
    n_notes: int
    n_persons: int
    state: BaselineState
    rule_version: int


def summarise_notes(scores: ArrayLike, rule: BaselineRule, *, n_labels: int) -> NotesSummary:
    """Summarise a person's notes; their order changes not one bit.

    Args:
        scores: (n_notes, n_labels) in [0, 1], each row sums to 1; no rows are allowed.
        rule: whose floor is taken.
        n_labels: of the model.

    Raises:
        ValueError: the shape is another, or a row is no distribution.

    Example:
        >>> notes = summarise_notes([[1.0, 0.0], [0.5, 0.5]], BaselineRule({"neutral": 0.7, "sadness": 0.3}), n_labels=2)
        >>> notes.n_notes, [round(mean, 3) for mean in notes.mean_log_scores]
        (2, [-0.347, -3.8])
    """
    logs = floor_log_scores(scores, rule, n_labels=n_labels)
    if not len(logs):
        return NotesSummary(0, (0.0,) * n_labels)
    # fsum rounds once, so that the order of the notes is not seen.
    return NotesSummary(len(logs), tuple(math.fsum(column) / len(logs) for column in logs.T.tolist()))


def floor_log_scores(scores: ArrayLike, rule: BaselineRule, *, n_labels: int) -> NDArray[np.float64]:
    """Return natural logarithms of floored scores, float64 (n_notes, n_labels), all finite.

    Raises:
        ValueError: the shape is another, or a row is no distribution.
    """
    rows = np.asarray(scores, dtype=np.float64)
    if rows.size == 0:
        rows = rows.reshape(0, n_labels)
    if rows.ndim != 2 or rows.shape[1] != n_labels:  # noqa: PLR2004 - notes and labels
        raise ValueError(f"scores have shape {rows.shape}; needed is (n_notes, {n_labels})")
    is_good = (rows >= 0).all(axis=1) & (np.abs(rows.sum(axis=1) - 1) <= SUM_TOLERANCE)
    if not is_good.all():
        raise ValueError(f"scores {rows[int(np.argmin(is_good))].tolist()} are no distribution: 0 to 1, sum 1")
    return np.log(np.maximum(rows, rule.floor))


def measure_tenant_offset(persons: Sequence[NotesSummary], reference: Reference, rule: BaselineRule) -> TenantOffset:
    """Return what the persons of a tenant have in common; to judge a person, leave that person out.

    Raises:
        ValueError: the rule's mix has other labels than the reference, or a summary another number of labels.

    Example:
        >>> reference = Reference(("neutral", "sadness"), ((-0.2, -2.0), (-2.0, -0.2)))
        >>> rule = BaselineRule({"neutral": 0.5, "sadness": 0.5}, shrink_notes=5, shrink_persons=1)
        >>> measure_tenant_offset([NotesSummary(5, (-0.1, -2.1))] * 2, reference, rule)
        TenantOffset(values=(0.5, -0.5), n_persons=2)
    """
    known = [person for person in persons if person.n_notes]
    weights = [_weigh(person, rule) for person in known]
    total = math.fsum(weights)
    expected = expect_log_scores(reference, rule)
    if not known:
        return TenantOffset((0.0,) * len(expected), 0)
    owns = [_measure_own(person, expected) for person in known]
    values = tuple(
        math.fsum(weight * own for weight, own in zip(weights, column, strict=True)) / (total + rule.shrink_persons)
        for column in zip(*owns, strict=True)
    )
    return TenantOffset(values, len(known))


def measure_offset(
    notes: NotesSummary, reference: Reference, rule: BaselineRule, *, tenant: TenantOffset | None = None
) -> Offset:
    """Return what to take from a person's log scores; the note to judge must not be among the notes.

    Args:
        notes: of this person and this model.
        reference: of this model.
        rule: of this model.
        tenant: what the other persons have in common; None to shrink towards no offset.

    Raises:
        ValueError: the rule's mix has other labels than the reference, or a summary another number of labels.

    Example:
        >>> reference = Reference(("neutral", "sadness"), ((-0.2, -2.0), (-2.0, -0.2)))
        >>> rule = BaselineRule({"neutral": 0.5, "sadness": 0.5}, shrink_notes=5)
        >>> measure_offset(NotesSummary(5, (-0.1, -2.1)), reference, rule).values
        (0.5, -0.5)
        >>> measure_offset(NotesSummary(0, (0.0, 0.0)), reference, rule).state.value
        'insufficient'
    """
    expected = expect_log_scores(reference, rule)
    start = (0.0,) * len(expected) if tenant is None else tenant.values
    if len(start) != len(expected):
        raise ValueError(f"the tenant's offset has {len(start)} values, the model {len(expected)} labels")
    weight = _weigh(notes, rule)
    values = tuple(
        weight * own + (1 - weight) * prior for own, prior in zip(_measure_own(notes, expected), start, strict=True)
    )
    state = BaselineState.PERSONAL if notes.n_notes >= rule.min_notes else BaselineState.INSUFFICIENT
    return Offset(values, notes.n_notes, 0 if tenant is None else tenant.n_persons, state, rule.version)


def relate_scores(scores: ArrayLike, offset: Offset, rule: BaselineRule) -> NDArray[np.float64]:
    """Return scores relative to what is usual, float64 (n_notes, n_labels), in [0, 1], each row sums to 1.

    Where nothing is known (all values of the offset are 0) these are the scores themselves, not floored.

    Raises:
        ValueError: scores have another number of labels than the offset, or a row is no distribution, or the offset is of another rule.

    Example:
        >>> rule = BaselineRule({"neutral": 0.5, "sadness": 0.5})
        >>> offset = Offset((0.0, 0.693147), 9, 0, BaselineState.PERSONAL, 1)
        >>> relate_scores([[0.5, 0.5]], offset, rule).round(3).tolist()
        [[0.667, 0.333]]
    """
    if offset.rule_version != rule.version:
        raise ValueError(f"the offset was made by version {offset.rule_version} of the rule, this is {rule.version}")
    logs = floor_log_scores(scores, rule, n_labels=len(offset.values))
    if not any(offset.values):
        return np.array(scores, dtype=np.float64).reshape(logs.shape)
    moved = logs - np.array(offset.values)
    raised = np.exp(moved - moved.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float64)


def expect_log_scores(reference: Reference, rule: BaselineRule) -> tuple[float, ...]:
    """Return the mean log scores that notes in the rule's mix would have, one a label.

    Raises:
        ValueError: the rule's mix has other labels than the reference.
    """
    if set(rule.mix) != set(reference.labels):
        raise ValueError(f"the rule's mix has labels {sorted(rule.mix)}, the reference {sorted(reference.labels)}")
    shares = [rule.mix[label] for label in reference.labels]
    return tuple(
        math.fsum(share * mean for share, mean in zip(shares, column, strict=True))
        for column in zip(*reference.means, strict=True)
    )


def _weigh(notes: NotesSummary, rule: BaselineRule) -> float:
    return notes.n_notes / (notes.n_notes + rule.shrink_notes)


def _measure_own(notes: NotesSummary, expected: tuple[float, ...]) -> tuple[float, ...]:
    if len(notes.mean_log_scores) != len(expected):
        raise ValueError(f"a summary has {len(notes.mean_log_scores)} labels, the model {len(expected)}")
    return tuple(mean - usual for mean, usual in zip(notes.mean_log_scores, expected, strict=True))
