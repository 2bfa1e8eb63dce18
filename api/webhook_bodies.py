"""The documents of webhooks: what an app asks for and what it is answered."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from api.webhooks.addresses import MAX_URL
from db.delivery_log import Delivery
from db.reasons import DeliveryState, EventKind
from db.webhooks import Endpoint

MAX_GRACE_S = 7 * 86_400
_MAX_DESCRIPTION = 200
_OF_NOTE = {EventKind.NOTE_SCORED, EventKind.NOTE_FAILED, EventKind.NOTE_DELETED}
_URL = "https://app.example/hooks/tonalog"
_ENDPOINT: dict[str, Any] = {
    "id": 3,
    "url": _URL,
    "description": "backend",
    "events": ["note.scored", "subject.erased"],
    "status": "enabled",
    "created_at": "2026-03-01T10:00:00Z",
    "disabled_at": None,
    "disabled_reason": None,
    "failing_since": None,
}
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the example of the specification


def _example(document: dict[str, Any]) -> dict[str, Any]:
    return {"examples": [document]}


def _distinct(events: list[str]) -> list[str]:
    if len(set(events)) < len(events):
        raise ValueError("an event is named twice")
    return events


EventName = Literal[
    "note.scored",
    "note.failed",
    "note.deleted",
    "day.updated",
    "trend.changed",
    "subject.erased",
    "model.activated",
    "night.finished",
    "alert.opened",
    "alert.closed",
]
_Events = Annotated[
    list[EventName],
    Field(min_length=1, max_length=10, description="What to tell.", json_schema_extra={"uniqueItems": True}),
    AfterValidator(_distinct),
]
_Url = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_URL,
        description="An https:// URL of a public host, without user and fragment.",
        json_schema_extra={"format": "uri"},
    ),
]
_Description = Annotated[
    str,
    Field(
        max_length=_MAX_DESCRIPTION,
        pattern=r"^[^\x00-\x1f\x7f-\x9f]*$",
        description="What you call it, without control characters.",
    ),
]


class NewEndpointBody(BaseModel):
    """An endpoint to make."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra=_example({"url": _URL, "events": _ENDPOINT["events"], "description": "backend"}),
    )

    url: _Url
    events: _Events
    description: _Description = ""


class EndpointChangeBody(BaseModel):
    """What to change of an endpoint; what is not given stays."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_example({"disabled": False}))

    url: _Url | None = None
    events: _Events | None = None
    description: _Description | None = None
    disabled: bool | None = Field(
        default=None, description="True: nothing is sent, and nothing is kept for later. False: it is enabled again."
    )


def _as_whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value  # JSON Schema's integers hold 60.0


class RotationBody(BaseModel):
    """How to rotate a secret."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_example({"grace_s": 86_400}))

    grace_s: Annotated[int, BeforeValidator(_as_whole)] = Field(
        default=86_400,
        ge=0,
        le=MAX_GRACE_S,
        description="For how many seconds the old secret signs beside the new one.",
    )


class EndpointBody(BaseModel):
    """Where an app is told what happens."""

    model_config = ConfigDict(json_schema_extra=_example(_ENDPOINT))

    id: int
    url: str
    description: str
    events: list[EventName]
    status: Literal["enabled", "disabled"]
    created_at: datetime
    disabled_at: datetime | None
    disabled_reason: Literal["by_app", "gone", "failing"] | None = Field(
        description="`by_app`: you did. `gone`: it answered 410. `failing`: no request succeeded for five days."
    )
    failing_since: datetime | None = Field(description="When requests began to fail; null after each success.")

    @classmethod
    def of(cls, endpoint: Endpoint, **more: Any) -> Self:
        """Write an endpoint."""
        same = {name: getattr(endpoint, name) for name in EndpointBody.model_fields if name not in {"events", "status"}}
        status = "enabled" if endpoint.disabled_at is None else "disabled"
        return cls.model_validate(
            {**same, "events": [kind.value for kind in endpoint.events], "status": status, **more}
        )


class NewEndpointAnswerBody(EndpointBody):
    """An endpoint that was just made, with its secret, which is not shown again."""

    model_config = ConfigDict(json_schema_extra=_example({**_ENDPOINT, "secret": _SECRET}))

    secret: str = Field(description="Verifies signatures; `whsec_` and 32 bytes in base64.")


class EndpointList(BaseModel):
    """The endpoints of a tenant, oldest first; twenty at the most."""

    webhook_endpoints: list[EndpointBody]


class SecretBody(BaseModel):
    """A new secret, which is not shown again."""

    model_config = ConfigDict(json_schema_extra=_example({"secret": _SECRET, "old_until": "2026-03-02T10:00:00Z"}))

    secret: str
    old_until: datetime = Field(description="Until then each message is signed with the old secret too.")


class DeliveryBody(BaseModel):
    """One message to one endpoint, and what came of it."""

    model_config = ConfigDict(
        json_schema_extra=_example(
            {
                "id": 41,
                "message_id": "msg_4cb39a2b5d2d4b4c9f4f6f0e2a1d7c55",
                "type": "note.scored",
                "note_id": 17,
                "at": "2026-03-03T02:00:41.118000Z",
                "status": "pending",
                "n_attempts": 2,
                "attempted_at": "2026-03-03T02:00:47.500000Z",
                "response_status": 503,
                "error": "answered 503; a status from 200 to 299 is needed",
                "next_attempt_at": "2026-03-03T02:05:54.100000Z",
                "finished_at": None,
                "replay_of": None,
            }
        )
    )

    id: int
    message_id: str = Field(description="Its `webhook-id`, the same at every attempt and replay.")
    type: EventName | Literal["webhook.test"]
    note_id: int | None = Field(description="Of events of a note.")
    at: datetime = Field(description="When it happened.")
    status: Literal["pending", "delivered", "failed", "cancelled"] = Field(
        description="`failed`: the last attempt did not succeed. `cancelled`: what it was about was not there any more."
    )
    n_attempts: int
    attempted_at: datetime | None
    response_status: int | None = Field(description="HTTP status of the last answer; null where there was none.")
    error: str | None
    next_attempt_at: datetime | None
    finished_at: datetime | None
    replay_of: int | None = Field(description="The delivery whose message this one sends again.")

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """Write a delivery."""
        same = ("id", "message_id", "at", "n_attempts", "attempted_at", "response_status", "error", "finished_at")
        statuses: dict[DeliveryState, Literal["pending", "delivered", "failed", "cancelled"]] = {
            DeliveryState.PENDING: "pending",
            DeliveryState.DELIVERED: "delivered",
            DeliveryState.FAILED: "failed",
            DeliveryState.CANCELLED: "cancelled",
        }
        return cls(
            type=delivery.kind.value,
            note_id=delivery.recording_id if delivery.kind in _OF_NOTE else None,
            status=statuses[delivery.state],
            next_attempt_at=delivery.next_at,
            replay_of=delivery.replay_of,
            **{name: getattr(delivery, name) for name in same},
        )


class DeliveryPage(BaseModel):
    """Deliveries, newest first, and where the list goes on."""

    deliveries: list[DeliveryBody]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")
