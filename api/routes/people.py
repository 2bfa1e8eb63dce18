"""What is kept of a person: days and trends, which the scheduler refreshes after each change."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request

from api import cursors
from api.callers import Reader, SharedContext, find_person
from api.model_choice import ModelChoice, choose_model, id_of
from api.parameters import Cursor, Limit, Order, Since, Subject, Until, check_period
from api.person_bodies import DayBody, DayPage
from api.shared_bodies import ModelName
from api.trend_bodies import EvidenceBody, TrendBody, TrendList
from db import people_rows
from db.models import ModelKey

router = APIRouter(tags=["people"])
Chart = Annotated[bool, Query(description="Whether to give the points of each chart.")]


@router.get("/v1/subjects/{subject}/days", summary="A person's days")
def list_days(
    request: Request,
    context: SharedContext,
    key: Reader,
    *,
    subject: Subject,
    since: Since = None,
    until: Until = None,
    model: ModelChoice = None,
    order: Order = "newest",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> DayPage:
    """List the local days of a person that have a note, whatever became of it."""
    check_period(since, until)
    person = find_person(request, context, key, subject)
    chosen = choose_model(context, model, tenant=key.tenant, subject=person)
    question = ["days", person, since, until, order, id_of(chosen)]
    after = None if cursor is None else _read_day(cursor, question)
    is_due = people_rows.is_due(context.engine, key.tenant, person)
    found = (
        []
        if chosen is None
        else people_rows.read_days(
            context.engine,
            key.tenant,
            person,
            model_id=chosen.id,
            since=since,
            until=until,
            is_oldest_first=order == "oldest",
            after=after,
            limit=limit + 1,
        )
    )
    page = found[:limit]
    next_cursor = cursors.encode(question, page[-1].day.isoformat()) if len(found) > limit else None
    return DayPage(
        model=_name(chosen),
        is_up_to_date=not is_due,
        days=[DayBody.of(day) for day in page],
        next_cursor=next_cursor,
    )


@router.get("/v1/subjects/{subject}/trend", summary="A person's trends")
def get_trend(
    request: Request,
    context: SharedContext,
    key: Reader,
    *,
    subject: Subject,
    model: ModelChoice = None,
    chart: Chart = False,
) -> TrendList:
    """Say for each measure where the recent days are against the person's own baseline, since when, and why.

    It is of `scores` and not of relative scores: a trend is relative to the person by itself. Nobody is compared to others.
    """
    person = find_person(request, context, key, subject)
    chosen = choose_model(context, model, tenant=key.tenant, subject=person)
    is_due = people_rows.is_due(context.engine, key.tenant, person)
    trends, voice = (
        [TrendBody.of(trend, has_chart=chart) for trend in found]
        for found in (
            people_rows.read_trends(context.engine, key.tenant, person, model_id=chosen.id, of_voice=of_voice)
            if chosen is not None
            else []
            for of_voice in (False, True)
        )
    )
    needed = EvidenceBody.of(context.needed)
    return TrendList(model=_name(chosen), is_up_to_date=not is_due, needed=needed, trends=trends, voice=voice)


def _name(model: ModelKey | None) -> ModelName | None:
    return None if model is None else ModelName(name=model.name, version=model.version)


def _read_day(cursor: str, question: Sequence[object]) -> date:
    (day,) = cursors.decode(cursor, question, str)
    return cursors.read_day(cursor, str(day))
