"""Fills a database for `api_load.py`: the test suite's filling, with trends as long as those of a person with 110 days."""

from __future__ import annotations

import sys
from pathlib import Path

from sqlalchemy import Engine, update

from db.people_schema import subject_trends

ROOT = Path(__file__).resolve().parent.parent


def tenant_of(person: int) -> str:
    """Give the tenant of `person-N`, as the filling has it."""
    return f"tenant-{person % 10}"


def fill(engine: Engine, *, n_notes: int, n_people: int) -> None:
    """Fill an empty, migrated database."""
    sys.path.insert(0, str(ROOT / "tests"))
    import filling  # noqa: PLC0415 - of the test suite
    from kept_rows import judge  # noqa: PLC0415

    filling.fill(engine, n_notes=n_notes, n_people=n_people)
    trend = judge()
    document = trend.as_dict()
    values = {"baseline": document.pop("baseline"), "chart": document.pop("chart"), "trend": document}
    with engine.begin() as connection:
        connection.execute(update(subject_trends).values(**values, state=trend.state.value, reason=trend.reason.value))
