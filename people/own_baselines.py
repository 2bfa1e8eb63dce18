"""A person's own baselines and relative scores under one model, by rules under which history does not rewrite itself.

A baseline is made of the person's first notes, at each of `BASELINE_STEPS`, and stays. A note is judged once, by the newest
baseline all of whose notes lie before it, as soon as all notes before it have been through. A note that comes late and lies earlier changes neither. Only a correction
does: where a note behind a baseline has left the person or its place in time, that baseline and those after it
are retired, and what was judged by them is judged anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import takewhile

from db.notes import NoteStatus
from db.people_notes import KeptBaseline, KeptRelative, PersonNote, PersonRows
from db.people_writes import NewBaseline, NewRelative
from db.rows import Model
from people.steps import BASELINE_STEPS
from people.tenants import Tenants
from trends import (
    Baseline,
    BaselineState,
    Notes,
    Offset,
    OwnOffset,
    collect_notes,
    measure_offset,
    measure_own_offset,
    relate_scores,
)

_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What is new of a person under one model, and the relative scores of all notes that have some."""

    retired_ids: tuple[int, ...]
    baselines: tuple[NewBaseline, ...]
    gone_relative: tuple[tuple[int, int], ...]
    relative: tuple[NewRelative, ...]
    scores: Mapping[int, Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class _Known:
    """A baseline to judge by: kept, or about to be; `place` is that of its last note among the person's notes."""

    n_notes: int
    place: int
    offset: Offset


def judge_notes(rows: PersonRows, model: Model, section: Baseline, *, tenants: Tenants) -> Judgement:
    """Say which baselines to retire and to make, and judge the notes that have no relative score yet.

    Raises:
        ValueError: a stored score is no distribution, or a stored baseline lacks a label of the model.
    """
    notes, n_settled = _find_scored(rows, model)
    kept, retired = _sort_out(rows, model, notes)
    made = _make_baselines(rows, model, section, notes=notes[:n_settled], kept=kept, tenants=tenants)
    places = {note.recording_id: place for place, note in enumerate(notes)}
    known = [
        _Known(
            n_notes=one.row.n_notes,
            place=max(places[recording_id] for recording_id in one.recording_ids),
            offset=_read_offset(one, section),
        )
        for one in kept
    ]
    known += [_Known(n_notes=new.n_notes, place=new.n_notes - 1, offset=_read_new(new, section)) for new in made]
    gone, relative, scores = [], [], {}
    good = {one.row.id for one in kept}
    for place, note in enumerate(notes):
        before = _find_kept(rows, note, good)
        found = None if before is None else before.scores
        if before is None and place < n_settled:
            new = _judge(note, [one for one in known if one.place < place], section)
            relative.append(new)
            found = new.scores
        elif before is None and (note.recording_id, model.id) in rows.relative:
            gone.append((note.recording_id, model.id))  # it is judged anew later
        if found is not None:
            scores[note.recording_id] = found
    return Judgement(
        retired_ids=retired,
        baselines=tuple(made),
        gone_relative=tuple(gone),
        relative=tuple(relative),
        scores=scores,
    )


def measure_newest_own(rows: PersonRows, model: Model, section: Baseline) -> OwnOffset | None:
    """Return what the person's notes say by themselves at the last step that they reach; None where that is kept already."""
    notes, n_settled = _find_scored(rows, model)
    kept, _ = _sort_out(rows, model, notes)
    newest = max((one.row.n_notes for one in kept), default=0)
    steps = [step for step in BASELINE_STEPS if newest < step <= n_settled]
    if not steps:
        return None
    return measure_own_offset(_collect(notes[: steps[-1]], section), section.reference, section.rule)


def _find_scored(rows: PersonRows, model: Model) -> tuple[list[PersonNote], int]:
    """Return the person's scored notes under a model, and how many lie before the first that is still to be scored.

    An import is scored in any order. Were the notes behind such a note judged, it would come late.
    """
    of_model = [note for note in rows.notes if note.model_id == model.id]
    n_settled = sum(note.status is NoteStatus.SCORED for note in takewhile(lambda note: not note.is_waiting, of_model))
    return [note for note in of_model if note.status is NoteStatus.SCORED], n_settled


def _sort_out(
    rows: PersonRows, model: Model, notes: Sequence[PersonNote]
) -> tuple[list[KeptBaseline], tuple[int, ...]]:
    corrected = {mark.recording_id for mark in rows.marks if mark.recording_id is not None}
    untouched = {note.recording_id for note in notes} - corrected
    own = [one for one in rows.baselines if one.row.model_id == model.id]
    first = min((one.row.n_notes for one in own if not one.recording_ids <= untouched), default=None)
    kept = [one for one in own if first is None or one.row.n_notes < first]
    return kept, tuple(one.row.id for one in own if one not in kept)


def _make_baselines(
    rows: PersonRows,
    model: Model,
    section: Baseline,
    *,
    notes: Sequence[PersonNote],
    kept: Sequence[KeptBaseline],
    tenants: Tenants,
) -> list[NewBaseline]:
    made = []
    newest = max((one.row.n_notes for one in kept), default=0)
    for step in BASELINE_STEPS:
        if not newest < step <= len(notes):
            continue
        behind = _collect(notes[:step], section)
        tenant = tenants.without(rows.tenant, rows.subject, model=model, section=section)
        offset = measure_offset(behind, section.reference, section.rule, tenant=tenant)
        own = measure_own_offset(behind, section.reference, section.rule)
        labels = section.reference.labels
        made.append(
            NewBaseline(
                model_id=model.id,
                n_notes=offset.n_notes,
                n_effective=offset.n_effective,
                n_persons=offset.n_persons,
                rule_version=offset.rule_version,
                state=offset.state.value,
                offset_values=dict(zip(labels, offset.values, strict=True)),
                own_values=dict(zip(labels, own.values, strict=True)),
                first_at=notes[0].at,
                last_at=notes[step - 1].at,
                recording_ids=tuple(note.recording_id for note in notes[:step]),
            )
        )
    return made


def _collect(notes: Sequence[PersonNote], section: Baseline) -> Notes:
    """Collect notes as of the last of them: a frozen baseline cannot know how old they are for each note to judge."""
    labels = section.reference.labels
    scores = [[note.scores[label] for label in labels] for note in notes if note.scores is not None]
    ages = [max((notes[-1].at - note.at) / _DAY, 0.0) for note in notes]
    return collect_notes(scores, section.rule, n_labels=len(labels), ages_days=ages)


def _find_kept(rows: PersonRows, note: PersonNote, good: set[int]) -> KeptRelative | None:
    """Return a note's relative result where it stays: its baseline is good, and the note was not corrected."""
    kept = rows.relative.get((note.recording_id, note.model_id))
    if kept is None or any(mark.recording_id == note.recording_id for mark in rows.marks):
        return None
    return kept if kept.baseline_id is None or kept.baseline_id in good else None


def _judge(note: PersonNote, before: Sequence[_Known], section: Baseline) -> NewRelative:
    newest = max(before, key=lambda one: one.n_notes, default=None)
    n_notes = None if newest is None else newest.n_notes
    unknown = NewRelative(recording_id=note.recording_id, model_id=note.model_id, n_notes=n_notes)
    if newest is None or newest.offset.state is BaselineState.INSUFFICIENT:
        return unknown
    labels, scores = section.reference.labels, note.scores or {}
    row = relate_scores([[scores[label] for label in labels]], newest.offset, section.rule)[0]
    best = int(row.argmax())
    confidence = float(row[best])
    return replace(
        unknown,
        scores=dict(zip(labels, row.tolist(), strict=True)),
        label=labels[best],
        confidence=confidence,
        is_uncertain=confidence < section.rule.uncertain_below,
    )


def _read_offset(kept: KeptBaseline, section: Baseline) -> Offset:
    row = kept.row
    return Offset(
        values=_in_order(row.offset_values, section),
        n_notes=row.n_notes,
        n_effective=row.n_effective,
        n_persons=row.n_persons,
        state=BaselineState(row.state.value),
        rule_version=row.rule_version,
    )


def _read_new(new: NewBaseline, section: Baseline) -> Offset:
    return Offset(
        values=_in_order(new.offset_values, section),
        n_notes=new.n_notes,
        n_effective=new.n_effective,
        n_persons=new.n_persons,
        state=BaselineState(new.state),
        rule_version=new.rule_version,
    )


def _in_order(values: Mapping[str, float], section: Baseline) -> tuple[float, ...]:
    if set(values) != set(section.reference.labels):
        raise ValueError(f"a baseline has labels {sorted(values)}; needed are {sorted(section.reference.labels)}")
    return tuple(values[label] for label in section.reference.labels)
