"""What the API takes and answers about uploads, exports and webhooks, as frozen records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from tonalog.client.records import Page, Record


class NewUpload(Record):
    """Who speaks and when, and what may be known of the file; `recorded_at` is RFC 3339 with an offset, or a day."""

    subject: str
    recorded_at: str
    time_zone: str | None = None
    content_type: str | None = None
    extension: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None


class Put(Record):
    """Where the bytes of an upload go; where `needs_key` is False, the URL itself is the right to send them."""

    method: str = "PUT"
    url: str
    headers: Mapping[str, str]
    needs_key: bool


class Upload(Record):
    """How far an upload is, and which note has become of it; `put` is there as long as bytes are taken."""

    id: str
    status: str
    note_id: int | None
    reason: str | None
    created_at: datetime
    expires_at: datetime
    put: Put | None = None


class ExportRequest(Record):
    """What to export: all notes of the tenant, or of one person."""

    format: str
    subject: str | None = None
    since: date | None = None
    until: date | None = None
    model: str | None = None


class Export(Record):
    """How far an export is; its files are there while `status` is `ready`."""

    id: int
    format: str
    subject: str | None
    since: date | None
    until: date | None
    model: str | None
    status: str
    reason: str | None
    requested_at: datetime
    finished_at: datetime | None
    expires_at: datetime
    n_rows: int | None
    size_bytes: int | None


class ExportPage(Page[Export]):
    """A page of exports."""

    exports: Sequence[Export]

    @property
    def rows(self) -> Sequence[Export]:
        """The exports."""
        return self.exports


class NewEndpoint(Record):
    """Where to send which events."""

    url: str
    events: Sequence[str]
    description: str = ""


class EndpointChange(Record):
    """What to change of a webhook endpoint; None: nothing."""

    url: str | None = None
    events: Sequence[str] | None = None
    description: str | None = None
    disabled: bool | None = None


class Endpoint(Record):
    """A webhook endpoint, without its secret."""

    id: int
    url: str
    description: str
    events: Sequence[str]
    status: str
    created_at: datetime
    disabled_at: datetime | None
    disabled_reason: str | None
    failing_since: datetime | None


class NewEndpointAnswer(Endpoint):
    """A webhook endpoint that was just made; its secret is shown this once."""

    secret: str


class EndpointList(Record):
    """Every webhook endpoint of the tenant."""

    webhook_endpoints: Sequence[Endpoint]


class Rotation(Record):
    """For how long the old secret signs beside the new one."""

    grace_s: int = 86_400


class Secret(Record):
    """The new secret of a webhook endpoint, and until when the old one signs too."""

    secret: str
    old_until: datetime


class Delivery(Record):
    """One event for one webhook endpoint, and what came of it."""

    id: int
    message_id: str
    type: str
    note_id: int | None
    at: datetime
    status: str
    n_attempts: int
    attempted_at: datetime | None
    response_status: int | None
    error: str | None
    next_attempt_at: datetime | None
    finished_at: datetime | None
    replay_of: int | None


class DeliveryPage(Page[Delivery]):
    """A page of deliveries."""

    deliveries: Sequence[Delivery]

    @property
    def rows(self) -> Sequence[Delivery]:
        """The deliveries."""
        return self.deliveries
