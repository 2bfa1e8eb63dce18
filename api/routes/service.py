"""The models that score, and whether the server works and can answer."""

from fastapi import APIRouter

from api.bodies import HealthBody, ModelBody, ModelList
from api.callers import Reader, SharedContext
from db import migrate, model_ends, models
from db.model_ends import ModelState

router = APIRouter(tags=["service"])


@router.get("/v1/models", summary="Models")
def list_models(context: SharedContext, key: Reader) -> ModelList:  # noqa: ARG001 - whoever has a key may know
    """List the registered model versions; they are the same for every tenant."""
    states = model_ends.read_states(context.engine)
    found = models.list_models(context.engine)
    # One that was added since the states were read is a candidate.
    return ModelList(models=[ModelBody.of(one, states.get(one.id, ModelState.CANDIDATE)) for one in found])


@router.get("/healthz", summary="Whether the process works")
def get_health() -> HealthBody:
    """Say that the process answers; it asks nobody."""
    return HealthBody()


@router.get("/readyz", summary="Whether requests can be answered")
def get_readiness(context: SharedContext) -> HealthBody:
    """Say that the database answers and has the schema of this release; 503 where it does not."""
    migrate.require_current(context.engine)
    return HealthBody()
