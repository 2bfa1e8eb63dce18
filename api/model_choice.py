"""Which model version an answer is under: the one that is asked for, or that which the person is read under."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Query

from api.context import Context
from api.problems import Problem
from db import models, notes
from db.model_readers import read_reading
from db.models import ModelKey
from db.notes import AppNote

ModelChoice = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=200,
        description="VERSION or NAME-VERSION of a registered model; if not given, the active one, or the canary's for whom it "
        "is read already.",
        examples=["speech-emotion-0.6.0"],
    ),
]


def choose_model(context: Context, wanted: str | None, *, tenant: str, subject: str | None) -> ModelKey | None:
    """Find the model that is asked for, or that which a person is read under; None where none is active.

    Raises:
        Problem: 404 where none or several fit.
    """
    if wanted is None:
        return read_reading(context.engine).key_of(tenant, subject)
    return require_model(context, wanted)


def choose_model_of_note(context: Context, wanted: str | None, *, tenant: str, note_id: int) -> ModelKey | None:
    """Find the model that is asked for, or that which the person of a note is read under; None where none is active.

    Raises:
        Problem: 404 where none or several fit.
    """
    if wanted is not None:
        return require_model(context, wanted)
    reading = read_reading(context.engine)
    if reading.canary is None:
        return reading.active
    return reading.key_of(tenant, notes.find_subject(context.engine, tenant, note_id))


def require_model(context: Context, wanted: str) -> ModelKey:
    """Find a registered model by VERSION or NAME-VERSION.

    Raises:
        Problem: 404 where none or several fit.
    """
    known = models.list_keys(context.engine)
    fitting = [model for model in known if wanted in (model.version, f"{model.name}-{model.version}")]
    if len(fitting) != 1:
        detail = f"{len(fitting)} models are called so: give the NAME-VERSION of one that /v1/models lists."
        raise Problem(404, "no-such-model", detail=detail)
    return fitting[0]


def show_as_read(context: Context, tenant: str, found: Sequence[AppNote]) -> list[AppNote]:
    """Give notes of several people, read under the active model, each under the model that its person is read under."""
    reading = read_reading(context.engine)
    early = [note.id for note in found if reading.key_of(tenant, note.subject) != reading.active]
    if not early or reading.candidate is None:
        return list(found)
    instead = notes.get_notes(context.engine, tenant, early, model_id=reading.candidate.id)
    return [instead.get(note.id, note) for note in found]


def id_of(model: ModelKey | None) -> int | None:
    """Give the id of a model, if there is one."""
    return None if model is None else model.id
