"""What the client does with uploads, exports and webhooks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import BinaryIO

from tonalog.client import calls
from tonalog.client.app_records import (
    Delivery,
    Endpoint,
    EndpointChange,
    Export,
    ExportRequest,
    NewEndpoint,
    NewEndpointAnswer,
    NewUpload,
    Rotation,
    Secret,
    Upload,
)
from tonalog.client.caller import Caller


class AppCalls(Caller):
    """The routes by which an app sends notes, takes exports along, and is told of events."""

    def upload(
        self,
        content: bytes,
        *,
        subject: str,
        recorded_at: datetime | date,
        time_zone: str | None = None,
        extension: str | None = None,
    ) -> Upload:
        """Send a recording, and have it scored now; ask `get_upload`, or wait for a webhook, to learn of its note.

        Args:
            content: the whole file.
            subject: who speaks.
            recorded_at: when, with an offset; or the day.
            time_zone: IANA name of the recorder's zone.
            extension: such as `ogg`.

        Raises:
            ValueError: the time has no offset.
            ApiError: it was refused; needs the scope `write`.
        """
        if isinstance(recorded_at, datetime) and recorded_at.tzinfo is None:
            raise ValueError(f"{recorded_at.isoformat()} has no offset: give a time with one, or a day")
        said = NewUpload(
            subject=subject,
            recorded_at=recorded_at.isoformat(),
            time_zone=time_zone,
            extension=extension,
            size_bytes=len(content),
        )
        begun = self.ask(calls.CREATE_UPLOAD, body=said)
        if begun.put is not None:
            self.put(begun.put.url, content, headers=begun.put.headers, has_key=begun.put.needs_key)
        return self.ask(calls.COMPLETE_UPLOAD, upload_id=begun.id)

    def get_upload(self, upload_id: str) -> Upload:
        """Say how far an upload is."""
        return self.ask(calls.GET_UPLOAD, upload_id=upload_id)

    def export(
        self,
        form: str,
        *,
        subject: str | None = None,
        since: date | None = None,
        until: date | None = None,
        model: str | None = None,
    ) -> Export:
        """Ask for an export in a format such as `csv`, `parquet` or `person`; `get_export` says when it is ready."""
        wanted = ExportRequest(format=form, subject=subject, since=since, until=until, model=model)
        return self.ask(calls.CREATE_EXPORT, body=wanted)

    def exports(self, *, limit: int = 100) -> Iterator[Export]:
        """List exports."""
        return self.walk(calls.LIST_EXPORTS, limit=limit)

    def get_export(self, export_id: int) -> Export:
        """Say how far an export is."""
        return self.ask(calls.GET_EXPORT, export_id=export_id)

    def download_export(self, export_id: int, file: BinaryIO) -> int:
        """Write the files of an export, a ZIP; gives the number of bytes."""
        return self.download(calls.GET_EXPORT_CONTENT, file, export_id=export_id)

    def delete_export(self, export_id: int) -> None:
        """Delete an export."""
        self.ask(calls.DELETE_EXPORT, export_id=export_id)

    def webhook_endpoints(self) -> Sequence[Endpoint]:
        """List webhook endpoints."""
        return self.ask(calls.LIST_ENDPOINTS).webhook_endpoints

    def create_webhook_endpoint(self, url: str, events: Sequence[str], *, description: str = "") -> NewEndpointAnswer:
        """Make a webhook endpoint; its secret is shown this once."""
        return self.ask(calls.CREATE_ENDPOINT, body=NewEndpoint(url=url, events=events, description=description))

    def webhook_endpoint(self, endpoint_id: int) -> Endpoint:
        """Give a webhook endpoint."""
        return self.ask(calls.GET_ENDPOINT, endpoint_id=endpoint_id)

    def change_webhook_endpoint(self, endpoint_id: int, change: EndpointChange) -> Endpoint:
        """Change a webhook endpoint."""
        return self.ask(calls.CHANGE_ENDPOINT, endpoint_id=endpoint_id, body=change)

    def delete_webhook_endpoint(self, endpoint_id: int) -> None:
        """Delete a webhook endpoint."""
        self.ask(calls.DELETE_ENDPOINT, endpoint_id=endpoint_id)

    def rotate_webhook_secret(self, endpoint_id: int, *, grace_s: int = 86_400) -> Secret:
        """Make a new secret; the old one signs beside it for `grace_s`."""
        return self.ask(calls.ROTATE_SECRET, endpoint_id=endpoint_id, body=Rotation(grace_s=grace_s))

    def test_webhook_endpoint(self, endpoint_id: int) -> Delivery:
        """Have a test event sent."""
        return self.ask(calls.TEST_ENDPOINT, endpoint_id=endpoint_id)

    def webhook_deliveries(
        self, endpoint_id: int, *, status: str | None = None, limit: int = 100
    ) -> Iterator[Delivery]:
        """List deliveries, newest first."""
        return self.walk(calls.LIST_DELIVERIES, endpoint_id=endpoint_id, status=status, limit=limit)

    def replay_webhook_delivery(self, endpoint_id: int, delivery_id: int) -> Delivery:
        """Send an event again."""
        return self.ask(calls.REPLAY_DELIVERY, endpoint_id=endpoint_id, delivery_id=delivery_id)
