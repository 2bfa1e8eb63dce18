"""The documents about uploads: what an app states about a recording, and what it is told."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from db.notes import AppNote, NoteStatus
from db.reasons import UploadState
from db.uploads import Upload
from storage.identity import MAX_SUBJECT_CHARACTERS, clean_name

# What phones and browsers record in; whatever it is called, the worker looks at the bytes.
EXTENSIONS = {
    "aac": "audio/aac",
    "aif": "audio/aiff",
    "amr": "audio/amr",
    "3gp": "audio/3gpp",
    "caf": "audio/x-caf",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "wav": "audio/wav",
    "webm": "audio/webm",
}
UNKNOWN_TYPE = "application/octet-stream"
_TYPES = {
    **{kind: extension for extension, kind in reversed(EXTENSIONS.items())},
    "audio/opus": "opus",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/x-m4a": "m4a",
    "audio/x-aiff": "aif",
    "audio/x-flac": "flac",
    "audio/mp3": "mp3",
    "audio/x-caf": "caf",
    "video/webm": "webm",
    "video/3gpp": "3gp",
    UNKNOWN_TYPE: "bin",
}
_MEDIA_TYPE = rf'^({"|".join(map(re.escape, sorted(_TYPES)))})(; ?codecs="?[A-Za-z0-9., -]{{1,50}}"?)?$'
_SECOND = r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})"
UploadStatus = Literal["waiting", "received", "scored", "no_speech", "failed", "cancelled", "expired"]


_OF_NOTE: dict[NoteStatus, UploadStatus] = {
    NoteStatus.PENDING: "received",
    NoteStatus.SCORED: "scored",
    NoteStatus.NO_SPEECH: "no_speech",
    NoteStatus.FAILED: "failed",
    NoteStatus.CANCELLED: "cancelled",
}


def _is_person(name: str) -> str:
    cleaned = clean_name(name)
    if cleaned is None:
        raise ValueError(f"blank, longer than {MAX_SUBJECT_CHARACTERS} characters, or with a control character")
    return cleaned


def _is_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("no such time zone; give a name such as Europe/Berlin")
    return name


def _is_number(value: object) -> object:
    # JSON writes a whole number as 5 or 5.0; a text is none, and `true` is not 1.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a whole number")  # noqa: TRY004 - pydantic takes no other
    return value


class NewUploadBody(BaseModel):
    """A recording that is to be uploaded: who speaks, when, and what is known of the file."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "subject": "ana",
                    "recorded_at": "2026-03-02T09:15:00+01:00",
                    "time_zone": "Europe/Berlin",
                    "extension": "ogg",
                    "size_bytes": 48213,
                }
            ]
        },
    )

    subject: Annotated[
        str, StringConstraints(min_length=1, max_length=MAX_SUBJECT_CHARACTERS), AfterValidator(_is_person)
    ]
    recorded_at: str = Field(
        pattern=rf"^({_SECOND}|\d{{4}}-\d{{2}}-\d{{2}})$",
        description="When it was spoken: RFC 3339 with the offset of the recorder's clock, or the day on that clock.",
    )
    time_zone: Annotated[str, StringConstraints(max_length=100), AfterValidator(_is_zone)] | None = Field(
        default=None, description="IANA name of the recorder's zone; of a day it says when that day began."
    )
    content_type: str | None = Field(
        default=None, pattern=_MEDIA_TYPE, description="Sent with the bytes; from `extension` if not given."
    )
    extension: Literal[tuple(EXTENSIONS)] | None = Field(  # type: ignore[valid-type]
        default=None, description="Of the file's name; from `content_type` if not given."
    )
    size_bytes: Annotated[int, Field(ge=1, le=2**53), BeforeValidator(_is_number)] | None = Field(
        default=None, description="Only so many are then taken."
    )
    sha256: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="Of the file; other bytes are then refused where the store can.",
    )

    @property
    def media_type(self) -> str:
        """The content type that is bound to the upload."""
        return self.content_type or (EXTENSIONS[self.extension] if self.extension else UNKNOWN_TYPE)

    @property
    def name_ending(self) -> str:
        """What the object's name ends in."""
        return str(self.extension or _TYPES[self.media_type.partition(";")[0]])


_UPLOAD: dict[str, Any] = {
    "id": "0f5a3c9d7b214e6f8a1b2c3d4e5f6071",
    "status": "waiting",
    "note_id": None,
    "reason": None,
    "created_at": "2026-03-02T08:16:00Z",
    "expires_at": "2026-03-02T08:31:00Z",
    "put": {
        "method": "PUT",
        "url": "/v1/uploads/0f5a3c9d7b214e6f8a1b2c3d4e5f6071/content",
        "headers": {
            "Content-Type": "audio/ogg",
            "x-amz-meta-subject-id": "ana",
            "x-amz-meta-recorded-at": "2026-03-02T09:15:00+01:00",
            "x-amz-meta-tenant": "default",
        },
        "needs_key": True,
    },
}


class PutBody(BaseModel):
    """Where the bytes go."""

    model_config = ConfigDict(json_schema_extra={"examples": [_UPLOAD["put"]]})

    method: Literal["PUT"] = "PUT"
    url: str = Field(description="Absolute, or a path of this server.")
    headers: dict[str, str] = Field(description="Send each of them as it stands; else the PUT is refused.")
    needs_key: bool = Field(description="Whether the PUT needs `Authorization` too: only to a path of this server.")


class UploadBody(BaseModel):
    """How far an upload is."""

    model_config = ConfigDict(json_schema_extra={"examples": [_UPLOAD]})

    id: str
    status: UploadStatus = Field(
        description="`waiting` for its bytes; `received`, and not scored yet; `scored`, `no_speech`, `failed` or "
        "`cancelled` as the note; `expired`: no bytes came in time."
    )
    note_id: int | None = Field(description="The note, as soon as there is one.")
    reason: str | None = Field(description="Why it failed, such as `NOT_AUDIO`.")
    created_at: datetime
    expires_at: datetime = Field(description="Until then its bytes are taken.")
    put: PutBody | None = Field(default=None, description="Where the bytes go; only where an upload begins.")

    @classmethod
    def of(cls, upload: Upload, note: AppNote | None, put: PutBody | None = None) -> Self:
        """Write an upload, with the note that has become of it."""
        return cls(
            id=upload.id,
            status=_status(upload, note),
            note_id=upload.recording_id,
            reason=upload.reason if note is None else note.reason,
            created_at=upload.created_at,
            expires_at=upload.expires_at,
            put=put,
        )


def _status(upload: Upload, note: AppNote | None) -> UploadStatus:
    if note is not None:
        return _OF_NOTE[note.status]
    if upload.state is UploadState.OPEN:
        return "expired" if upload.is_over else "waiting"
    if upload.state in {UploadState.FAILED, UploadState.EXPIRED}:
        return "failed" if upload.state is UploadState.FAILED else "expired"
    return "received" if upload.state is UploadState.RECEIVED else "cancelled"
