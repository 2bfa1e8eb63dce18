"""What is usual for a person, and scores relative to that.

A model's scores hold a part that belongs to the speaker, device, room and language and not to the emotion. On the log scale that
part is nearly a constant for a person, so that it can be estimated from earlier notes and taken out (`trends.estimate` has
the formulas): first what all persons of a tenant have in common, then what is a person's own beyond that.

The scores of the model are absolute: what the model hears. Relative scores, ``softmax((log s - offset) / temperature)``, say what is
unusual for this person. If all notes of a person hold one emotion, the baseline takes on much of that emotion: right for a
trend, and less so as a label. Both are kept, and words say which is shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trends.estimate import estimate_offsets
from trends.notes import Notes, floor_log_scores
from trends.reference import Reference
from trends.rule import BaselineRule


class BaselineState(StrEnum):
    """How much is known of what is usual for a person."""

    INSUFFICIENT = "insufficient"  # fewer notes than the rule's min_notes: no statement about this person
    PERSONAL = "personal"


@dataclass(frozen=True)
class OwnOffset:
    """What a person's notes say by themselves; it can be stored, so that a tenant's offset needs no note again.

    Attributes:
        values: unshrunk, natural logarithms, one a label; zeros without notes.
        n_effective: sum of the notes' weights, 0 or more.
    """

    values: tuple[float, ...]
    n_effective: float


@dataclass(frozen=True)
class TenantOffset:
    """What the scores of a tenant's persons have in common: devices, language, rooms.

    Attributes:
        values: shrunk towards none, natural logarithms, one a label.
        n_persons: who had at least one note.
        share: of what they have in common that is in the values, 0 to 1; more with more persons and notes.
    """

    values: tuple[float, ...]
    n_persons: int
    share: float


@dataclass(frozen=True)
class Offset:
    """What to take from a person's log scores.

    Attributes:
        values: natural logarithms, one a label; all 0 where nothing is known.
        n_notes: of the person, behind it.
        n_effective: sum of the notes' weights: fewer than the notes where old ones are forgotten.
        n_persons: of the tenant, behind it.
        state: whether words may call a relative score unusual for this person.
        rule_version: of the rule that made it.
    """

    values: tuple[float, ...]
    n_notes: int
    n_effective: float
    n_persons: int
    state: BaselineState
    rule_version: int


def measure_own_offset(notes: Notes, reference: Reference, rule: BaselineRule) -> OwnOffset:
    """Return what a person's notes say by themselves, for the tenant's offset of others.

    Raises:
        ValueError: the rule's mix has other labels than the reference, or the notes another number of labels.
    """
    n_effective = math.fsum(notes.weights.tolist())
    start = (0.0,) * len(reference.labels)
    if not n_effective:
        return OwnOffset(start, 0.0)
    shrunk = _estimate(notes, reference, rule, prior=start, shrink=rule.shrink_notes)
    share = rule.max_share * n_effective / (n_effective + rule.shrink_notes)
    return OwnOffset(tuple(value / share for value in shrunk), n_effective)


def measure_tenant_offset(persons: Sequence[OwnOffset], reference: Reference, rule: BaselineRule) -> TenantOffset:
    """Return what the persons of a tenant have in common; to judge a person, leave that person out.

    It is the mean over persons, each weighted by ``n / (n + shrink_notes_in_tenant)`` as in Buehlmann and Straub 1970, shrunk towards
    none by ``W / (W + shrink_persons)`` with W the sum of the weights.

    Raises:
        ValueError: an offset has another number of labels than the reference.

    Example:
        >>> reference = Reference(("neutral", "sadness"), ((-0.2, -2.0), (-2.0, -0.2)))
        >>> rule = BaselineRule({"neutral": 0.5, "sadness": 0.5}, shrink_notes_in_tenant=5, shrink_persons=1)
        >>> measure_tenant_offset([OwnOffset((1.0, -1.0), 5.0)] * 2, reference, rule)
        TenantOffset(values=(0.5, -0.5), n_persons=2, share=0.5)
    """
    known = [person for person in persons if person.n_effective]
    for person in known:
        _check_size("a person's offset", person.values, reference)
    weights = [person.n_effective / (person.n_effective + rule.shrink_notes_in_tenant) for person in known]
    total = math.fsum(weights)
    values = tuple(
        math.fsum(weight * person.values[label] for weight, person in zip(weights, known, strict=True))
        / (total + rule.shrink_persons)
        for label in range(len(reference.labels))
    )
    return TenantOffset(values, len(known), total / (total + rule.shrink_persons))


def shrink_in_tenant(tenant: TenantOffset, rule: BaselineRule) -> float:
    """Return with how many notes half of a person's share is their own, beyond the tenant's offset.

    Persons of one tenant differ less than persons of all tenants (variances ``1 / shrink_notes_in_tenant`` and ``1 / shrink_notes``, in notes).
    As far as what they have in common is not known yet, it is still in the person's own offset.

    Example:
        >>> rule = BaselineRule({"neutral": 0.5, "sadness": 0.5}, shrink_notes=2, shrink_notes_in_tenant=4)
        >>> [round(shrink_in_tenant(TenantOffset((0.0, 0.0), 9, share), rule), 3) for share in (0.0, 0.5, 1.0)]
        [2.0, 2.667, 4.0]
    """
    within, among = 1 / rule.shrink_notes_in_tenant, 1 / rule.shrink_notes
    return 1 / (within + (1 - tenant.share) * (among - within))


def measure_offset(
    notes: Notes, reference: Reference, rule: BaselineRule, *, tenant: TenantOffset | None = None
) -> Offset:
    """Return what to take from a person's log scores; the note to judge must not be among the notes.

    Args:
        notes: of this person and this model.
        reference: of this model.
        rule: of this model.
        tenant: what the other persons have in common; None, or one without persons, to shrink towards no offset.

    Raises:
        ValueError: the rule's mix has other labels than the reference, or notes or tenant another number of labels.

    Example:
        >>> from trends import collect_notes
        >>> reference = Reference(("neutral", "sadness"), ((-0.2, -2.0), (-2.0, -0.2)))
        >>> rule = BaselineRule({"neutral": 0.5, "sadness": 0.5}, version=1, max_share=1, shrink_notes=5, shrink_notes_in_tenant=5)
        >>> notes = collect_notes([[0.9, 0.1]] * 5, rule, n_labels=2)
        >>> [round(value, 3) for value in measure_offset(notes, reference, rule).values]
        [0.497, -0.601]
        >>> measure_offset(collect_notes([], rule, n_labels=2), reference, rule).state.value
        'insufficient'
    """
    start, shrink, n_persons = (0.0,) * len(reference.labels), rule.shrink_notes, 0
    if tenant is not None:
        _check_size("the tenant's offset", tenant.values, reference)
    if tenant is not None and tenant.n_persons:
        start, shrink, n_persons = tenant.values, shrink_in_tenant(tenant, rule), tenant.n_persons
    values = _estimate(notes, reference, rule, prior=start, shrink=shrink)
    n_effective = math.fsum(notes.weights.tolist())
    state = BaselineState.PERSONAL if n_effective >= rule.min_notes else BaselineState.INSUFFICIENT
    return Offset(values, len(notes.weights), n_effective, n_persons, state, rule.version)


def relate_scores(scores: ArrayLike, offset: Offset, rule: BaselineRule) -> NDArray[np.float64]:
    """Return scores relative to what is usual, float64 (n_notes, n_labels), in [0, 1], each row sums to 1.

    Where nothing is known (all values of the offset are 0) these are the scores themselves, neither floored nor with another temperature.

    Raises:
        ValueError: scores have another number of labels than the offset, or a row is no distribution, or the offset is of another rule.

    Example:
        >>> rule = BaselineRule({"neutral": 0.5, "sadness": 0.5})
        >>> offset = Offset((0.0, 0.693147), 9, 9.0, 0, BaselineState.PERSONAL, rule.version)
        >>> relate_scores([[0.5, 0.5]], offset, rule).round(3).tolist()
        [[0.667, 0.333]]
    """
    if offset.rule_version != rule.version:
        raise ValueError(f"the offset was made by version {offset.rule_version} of the rule, this is {rule.version}")
    logs = floor_log_scores(scores, rule, n_labels=len(offset.values))
    if not any(offset.values):
        return np.array(scores, dtype=np.float64).reshape(logs.shape)
    return take_out(logs, np.array(offset.values), rule)


def take_out(log_scores: NDArray[np.float64], offsets: NDArray[np.float64], rule: BaselineRule) -> NDArray[np.float64]:
    """Return relative scores of floored log scores and offsets of the same shape, or of one offset for all rows."""
    moved = (log_scores - offsets) / rule.temperature
    raised = np.exp(moved - moved.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), dtype=np.float64)


def _estimate(
    notes: Notes, reference: Reference, rule: BaselineRule, *, prior: tuple[float, ...], shrink: float
) -> tuple[float, ...]:
    if notes.log_scores.shape[1] != len(reference.labels):
        raise ValueError(f"notes have {notes.log_scores.shape[1]} labels, the model {len(reference.labels)}")
    values = estimate_offsets(
        notes.log_scores[None],
        notes.weights[None],
        prior=np.array([prior]),
        shrink=np.array([shrink]),
        reference=reference,
        rule=rule,
    )
    return tuple(values[0].tolist())


def _check_size(what: str, values: tuple[float, ...], reference: Reference) -> None:
    if len(values) != len(reference.labels):
        raise ValueError(f"{what} has {len(values)} values, the model {len(reference.labels)} labels")
