"""Made-up people for a first look: real notes on made-up dates, judged in memory by what judges everybody; nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from db import Engine, trends
from db.people_notes import PersonNote, PersonRows, read_person
from db.people_rows import SubjectBaseline
from db.people_writes import NewBaseline
from db.reasons import BaselineState
from db.rows import Model
from people.own_baselines import judge_notes
from people.own_days import summarise_days
from people.own_trends import judge_trends
from people.tenants import Tenants
from pictures.collect_person import MANIFEST_KEY, Kept, make_page, read_own
from pictures.person import PersonPage
from trends import TrendSettings, read_baseline

TENANT = "example"
REMARK = (
    "An example. The notes are real recordings and their scores are what the model gave them; people, dates and order are made "
    "up, and the same few notes come again and again."
)


@dataclass(frozen=True, kw_only=True)
class Persona:
    """Somebody made up.

    Attributes:
        name: of the person.
        n_days: since the first note.
        chance: that a day has a note.
        label: that notes from `from_day` on lean to; None: nothing changes.
        from_day: counted from the first.
    """

    name: str
    n_days: int
    chance: float
    label: str | None = None
    from_day: int = 0


PERSONAS = (
    Persona(name="Mira", n_days=119, chance=0.85, label="happiness", from_day=91),
    Persona(name="Jonas", n_days=119, chance=0.7),
    Persona(name="Tess", n_days=17, chance=0.5),
)
_LEAN = 2.0  # how much likelier a note is with each standard deviation of its level


def read_pool(engine: Engine, model: Model, *, store: str, bucket: str, prefix: str = "") -> list[PersonNote]:
    """Read the notes that people sent from one place, under a model, in order of their ids."""
    found = trends.list_notes(engine, store=store, bucket=bucket, prefix=prefix)
    ids = {note.recording_id for note in found}
    people = sorted({(note.tenant, note.subject) for note in found if note.subject is not None})
    sent = (note for tenant, subject in people for note in read_person(engine, tenant, subject).notes)
    pool = [replace(note, is_waiting=False) for note in sent if note.model_id == model.id and note.recording_id in ids]
    return sorted(pool, key=lambda note: note.recording_id)


def make_people(
    engine: Engine, model: Model, pool: Sequence[PersonNote], *, today: date, settings: TrendSettings, seed: int = 4
) -> list[PersonPage]:
    """Judge made-up people that send notes of a pool until a day.

    Args:
        engine: read only: what is known of the tenant `example`, which is nothing.
        model: that scored the pool.
        pool: at least one of them scored.
        today: last day.
        settings: that trends are judged by.
        seed: of the random choices; the same gives the same people.
    """
    rng = np.random.default_rng(seed)
    now = datetime.combine(today, time(23, 59), tzinfo=UTC)
    people = []
    for persona in PERSONAS:
        sent = tuple(_send_notes(persona, pool, today=today, rng=rng))
        rows = PersonRows(
            tenant=TENANT,
            subject=persona.name,
            now=now,
            marks=(),
            models=(model,),
            notes=sent,
            baselines=(),
            relative={},
            days=(),
            trends=(),
        )
        people.append(_judge(rows, model, Tenants(engine), settings=settings))
    return people


def _send_notes(
    persona: Persona, pool: Sequence[PersonNote], *, today: date, rng: np.random.Generator
) -> list[PersonNote]:
    leaning = _lean(pool, persona.label)
    even = np.full(len(pool), 1 / len(pool))
    sent: list[PersonNote] = []
    for place in range(persona.n_days):
        if rng.random() >= persona.chance:
            continue
        day = today - timedelta(days=persona.n_days - 1 - place)
        shares = leaning if persona.label is not None and place >= persona.from_day else even
        for hour in (8, 20)[: 1 + int(rng.random() < 0.5)]:  # noqa: PLR2004 - half of the days have two notes
            at = datetime.combine(day, time(hour, int(rng.integers(60))), tzinfo=UTC)
            chosen = pool[int(rng.choice(len(pool), p=shares))]
            sent.append(replace(chosen, recording_id=len(sent) + 1, at=at, utc_offset_min=0, local_day=day))
    return sent


def _lean(pool: Sequence[PersonNote], label: str | None) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return how likely each note is where notes lean to a label; they sum to 1."""
    levels = [note.movement.get(label or "", {}).get("level") for note in pool]
    known = np.array([level for level in levels if level is not None], dtype=np.float64)
    if len(known) == 0 or known.std() == 0:
        return np.full(len(pool), 1 / len(pool))
    heights = [-1.0 if level is None else (level - known.mean()) / known.std() for level in levels]
    weights = np.exp(_LEAN * np.array(heights))
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _judge(rows: PersonRows, model: Model, tenants: Tenants, *, settings: TrendSettings) -> PersonPage:
    raw = model.manifest.get(MANIFEST_KEY)
    scores: Mapping[int, Mapping[str, float]] = {}
    own = read_own(model, None)
    if raw is not None:
        judged = judge_notes(rows, model, read_baseline(raw, labels=model.labels), tenants=tenants)
        scores = judged.scores
        own = read_own(model, _as_kept(judged.baselines[-1], rows) if judged.baselines else None)
    days = summarise_days(rows, model, relative=scores)
    kept = Kept(
        days=days.rows,
        trends=judge_trends(rows, model, days.by_measure, settings=settings),
        own=own,
    )
    return make_page(kept, model, known={model.id: model}, settings=settings)


def _as_kept(new: NewBaseline, rows: PersonRows) -> SubjectBaseline:
    return SubjectBaseline(
        id=0,
        tenant=rows.tenant,
        subject=rows.subject,
        model_id=new.model_id,
        n_notes=new.n_notes,
        n_effective=new.n_effective,
        n_persons=new.n_persons,
        rule_version=new.rule_version,
        state=BaselineState(new.state),
        offset_values=new.offset_values,
        own_values=new.own_values,
        first_at=new.first_at,
        last_at=new.last_at,
        created_at=rows.now,
        retired_at=None,
    )
