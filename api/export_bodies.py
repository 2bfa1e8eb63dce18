"""What is asked for and answered about exports."""

from datetime import date, datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from api.parameters import plain_day
from db.export_jobs import ExportJob
from db.reasons import ExportState
from exports.write import Format
from storage.identity import MAX_SUBJECT_CHARACTERS

_ASKED: dict[str, Any] = {
    "format": "csv",
    "subject": "ana",
    "since": "2026-03-01",
    "until": "2026-03-31",
    "model": None,
}
_MAX_MODEL = 200
_Day = Annotated[date, BeforeValidator(plain_day)]


class ExportRequest(BaseModel):
    """What is to be exported, of the key's tenant."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_ASKED]})

    format: Format = Field(description="docs/exports.md describes each; `person` needs `subject` and no period.")
    subject: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_SUBJECT_CHARACTERS,
        description="Only this person, by a present or former name, or as answers show it.",
    )
    since: _Day | None = Field(default=None, description="First day, on the recorder's calendar.")
    until: _Day | None = Field(default=None, description="Last day, itself included.")
    model: str | None = Field(
        default=None,
        min_length=1,
        max_length=_MAX_MODEL,
        description="VERSION or NAME-VERSION of a registered model; the active one if not given.",
    )


class ExportBody(BaseModel):
    """An export that was asked for, and how far it is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 2,
                    **_ASKED,
                    "status": "ready",
                    "reason": None,
                    "requested_at": "2026-04-01T08:00:00Z",
                    "finished_at": "2026-04-01T08:00:03Z",
                    "expires_at": "2026-04-08T08:00:00Z",
                    "n_rows": 412,
                    "size_bytes": 20480,
                }
            ]
        }
    )

    id: int
    format: Format
    subject: str | None = Field(description="The person as the database writes it; null for everybody.")
    since: date | None
    until: date | None
    model: str | None
    status: ExportState = Field(description="`ready`: its content can be had; `failed`: `reason` says why.")
    reason: str | None
    requested_at: datetime
    finished_at: datetime | None
    expires_at: datetime = Field(description="From then on it is not there any more; after an erasure sooner.")
    n_rows: int | None = Field(description="In all its tables.")
    size_bytes: int | None = Field(description="Of its ZIP.")

    @classmethod
    def of(cls, job: ExportJob) -> Self:
        """Write an export."""
        same = {name: getattr(job, name) for name in cls.model_fields if name not in {"status", "format"}}
        return cls(**same, status=job.state, format=Format(job.format))


class ExportPage(BaseModel):
    """Exports that keys of this tenant asked for, newest first, and where the list goes on."""

    exports: list[ExportBody]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")
