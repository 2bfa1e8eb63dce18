"""Carries batches of reprocessing on: plans what is left to plan, ends the jobs of cancelled ones, and closes those at their end."""

from __future__ import annotations

import time
from collections.abc import Callable

from db import Engine, batch_plan, batches
from db.batches import Batch
from db.reasons import BatchState


def carry_on(engine: Engine, *, budget_s: float, clock: Callable[[], float] = time.monotonic) -> None:
    """Do what is due for every unfinished batch; whatever is left is due at the next call, from whichever process.

    Each step is one short transaction, so that it may be killed at any moment.

    Args:
        engine: the database.
        budget_s: how long; one step may go beyond it.
        clock: seconds that only go on.
    """
    end_s = clock() + budget_s
    for batch in batches.list_unfinished(engine):
        step = _step_of(batch)
        while clock() < end_s and step(engine, batch.id):
            pass
        batches.close_if_ended(engine, batch.id)


def _step_of(batch: Batch) -> Callable[[Engine, int], object]:
    return batches.end_cancelled if batch.state is BatchState.CANCELLED else batch_plan.plan_next
