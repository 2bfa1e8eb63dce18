"""What is kept of a person, as a refresh writes it, and exports into folders of a test; asserts nothing."""

from datetime import timedelta

from db_samples import MONDAY, days_later, scores

from db.people_marks import read_marks
from db.people_rows import SubjectDay, SubjectTrend
from db.people_writes import NewBaseline, NewRelative, PersonChange, write_person
from db.reasons import BaselineState, TrendState
from db.snapshot import Selection
from exports.write import Options, write_export

UNUSUAL = {"anger": 0.4, "happiness": 0.3, "neutral": 0.2, "sadness": 0.1}


def keep_person(engine, subject="anna", tenant="default"):
    """A baseline of two notes, relative scores of the fourth note, four days and two trends."""
    with engine.connect() as connection:
        marks = read_marks(connection, tenant, subject)
    change = PersonChange(
        tenant=tenant,
        subject=subject,
        marks=marks,
        baselines=(a_baseline(),),
        relative=(
            NewRelative(recording_id=1, model_id=1, n_notes=None),
            NewRelative(
                recording_id=4,
                model_id=1,
                n_notes=2,
                scores=UNUSUAL,
                label="anger",
                confidence=0.4,
                is_uncertain=True,
            ),
        ),
        days=tuple(a_day(n, tenant=tenant, subject=subject) for n in range(4)),
        trends=tuple(a_trend(name, tenant=tenant, subject=subject) for name in ("anger", "sadness")),
    )
    if not write_person(engine, change):
        raise LookupError(f"{subject} was marked meanwhile")


def a_baseline():
    return NewBaseline(
        model_id=1,
        n_notes=2,
        n_effective=2.0,
        n_persons=1,
        rule_version=1,
        state=BaselineState.PERSONAL,
        offset_values=dict.fromkeys(scores(), 0.25),
        own_values=dict.fromkeys(scores(), 0.5),
        first_at=MONDAY,
        last_at=days_later(2),
        recording_ids=(1, 2),
    )


def a_day(n, *, tenant="default", subject="anna"):
    day = days_later(n).date()
    is_scored = n in (0, 3)
    return SubjectDay(
        tenant=tenant,
        subject=subject,
        model_id=1,
        day=day,
        week=day - timedelta(days=day.weekday()),
        n_scored=int(is_scored),
        n_uncertain=0,
        n_no_speech=int(n == 1),
        n_failed=int(n == 2),
        n_pending=0,
        speech_ms=9_000 * is_scored,
        scores=scores() if is_scored else None,
        relative=UNUSUAL if n == 3 else None,
        levels={name: {"level": -1.5, "error": 0.4} for name in scores()} if is_scored else None,
        arousal=0.5 if n == 0 else None,
        valence=-0.5 if n == 0 else None,
        refreshed_at=MONDAY,
    )


def a_trend(measure, *, tenant="default", subject="anna"):
    return SubjectTrend(
        tenant=tenant,
        subject=subject,
        model_id=1,
        measure=measure,
        state=TrendState.INSUFFICIENT,
        reason="too few days: 2 of 60",
        as_of=days_later(3).date(),
        since=None,
        baseline=None,
        trend={"n_days": 2},
        chart=(),
        refreshed_at=MONDAY,
    )


def export(engine, target, form, **chosen):
    """Write an export of the tenant `default`, or of what is chosen."""
    options = Options(
        version="0", **{name: chosen.pop(name) for name in Options.__dataclass_fields__ if name in chosen}
    )
    selection = Selection(**{"tenant": "default", **chosen})
    return write_export(engine, selection, target, form=form, options=options)
