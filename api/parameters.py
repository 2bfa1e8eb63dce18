"""Parameters that several routes share; each takes one spelling of a value and refuses the rest."""

import re
from datetime import date
from typing import Annotated, Literal
from urllib.parse import unquote

from fastapi import Path, Query
from pydantic import BeforeValidator, Field

from api.problems import bad_parameter
from storage.identity import MAX_SUBJECT_CHARACTERS

MAX_LIMIT = 500
_MAX_ID = 2**63 - 1
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _plain_number(value: object) -> object:
    if isinstance(value, str) and not (value.isascii() and value.isdecimal()):
        raise ValueError("not a whole number in digits")
    return value


def plain_day(value: object) -> object:
    """Take a day in one spelling only."""
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("not a day such as 2026-03-01")
    return value


def _decoded(value: object) -> object:
    return unquote(value) if isinstance(value, str) else value


Subject = Annotated[
    str,
    BeforeValidator(_decoded),
    Path(
        min_length=1,
        max_length=MAX_SUBJECT_CHARACTERS,
        description="The person, by a present or former name, or as answers show it.",
        examples=["ana"],
    ),
]
# The bounds before the validator: behind it the document would not name them.
_Id = Annotated[int, Field(ge=1, le=_MAX_ID), BeforeValidator(_plain_number)]
_Number = Annotated[int, Field(ge=1, le=MAX_LIMIT), BeforeValidator(_plain_number)]
NoteId = Annotated[_Id, Path(examples=[17])]
ErasureId = Annotated[_Id, Path(examples=[4])]
EndpointId = Annotated[_Id, Path(examples=[3])]
DeliveryId = Annotated[_Id, Path(examples=[41])]
ExportId = Annotated[_Id, Path(examples=[2])]
Limit = Annotated[_Number, Query(description="Rows on a page.")]
Cursor = Annotated[
    str | None, Query(min_length=1, max_length=500, description="`next_cursor` of the page before; none to begin.")
]
Since = Annotated[
    date | None,
    BeforeValidator(plain_day),
    Query(description="First day, on the recorder's calendar.", examples=["2026-03-01"]),
]
Until = Annotated[
    date | None,
    BeforeValidator(plain_day),
    Query(description="Last day, itself included.", examples=["2026-03-31"]),
]
Order = Annotated[Literal["newest", "oldest"], Query(description="Which come first.")]


def check_period(since: date | None, until: date | None, *, place: str = "query") -> None:
    """Refuse a period that ends before it begins.

    Args:
        since: the first day.
        until: the last day.
        place: where they were given: query or body.

    Raises:
        Problem: it does.
    """
    if since is not None and until is not None and until < since:
        raise bad_parameter(place, "until", message=f"is before since ({since})", value=str(until))
