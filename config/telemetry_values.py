"""What settings about metrics and traces may hold."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field


def _unset(value: object) -> object:
    # Compose passes a variable that is not set on as an empty one.
    return None if isinstance(value, str) and not value.strip() else value


def _is_http(value: str | None) -> str | None:
    if value is not None and urlsplit(value).scheme not in {"http", "https"}:
        raise ValueError("is no http:// or https:// URL")
    return value


Port = Annotated[Annotated[int, Field(ge=1, le=65_535)] | None, BeforeValidator(_unset)]
HttpUrl = Annotated[str | None, AfterValidator(_is_http), BeforeValidator(_unset)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
