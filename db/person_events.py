"""Tells webhooks what a refresh changed of a person: days with other values, and trends in another state."""

from collections.abc import Iterable, Mapping
from datetime import date

from sqlalchemy import Connection, select

from db.model_readers import find_reading
from db.outbox import add
from db.people_schema import subject_trends
from db.reasons import EventKind, TrendState

_t = subject_trends.c


def read_trend_states(connection: Connection, tenant: str, subject: str) -> dict[tuple[int, str], str]:
    """Read in which states a person's trends are, by model and measure."""
    of_person = (_t.tenant == tenant, _t.subject == subject)
    rows = connection.execute(select(_t.model_id, _t.measure, _t.state).where(*of_person))
    return {(row.model_id, row.measure): row.state for row in rows}


def tell_person(
    connection: Connection,
    tenant: str,
    subject: str,
    *,
    days: Iterable[tuple[int, date]],
    states: Mapping[tuple[int, str], str],
    before: Mapping[tuple[int, str], str],
) -> None:
    """Write the events of a refresh, in its transaction; only those of the model that the person is read under.

    Args:
        connection: the transaction of the refresh.
        tenant: the person's.
        subject: the person.
        days: model and day of each day that has other values, or is there no more.
        states: states of trends now, by model and measure.
        before: states of trends before the refresh. One that is new and has too little evidence is no news.
    """
    read = find_reading(connection).key_of(tenant, subject)
    read_id = None if read is None else read.id
    changed = sorted({day for model_id, day in days if model_id == read_id})
    for day in changed:
        if not add(connection, tenant, EventKind.DAY_UPDATED, subject=subject, day=day):
            return  # nobody is to be told, or nobody is there
    for key, state in states.items():
        if key[0] == read_id and state != before.get(key, TrendState.INSUFFICIENT):
            add(connection, tenant, EventKind.TREND_CHANGED, subject=subject, data={"measure": key[1]})
