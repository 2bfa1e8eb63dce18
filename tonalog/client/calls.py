"""Every route of the API as a value; a test holds them against `/openapi.json`.

To add a route, add its documents to `tonalog.client.records`, a value here, and a method to `tonalog.client.asking`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel

from tonalog.client import app_records, person_records, records

Answer_co = TypeVar("Answer_co", bound=records.Record, covariant=True)


@dataclass(frozen=True, kw_only=True)
class Call(Generic[Answer_co]):
    """One route.

    Attributes:
        method: `GET`, `POST`, `DELETE`, ...
        path: with the names of its parts in braces.
        answer: the document that it answers with; `Nothing` where there is none.
        query: names of its parameters.
        body: the document that it takes; None: none.
    """

    method: str
    path: str
    answer: type[Answer_co]
    query: tuple[str, ...] = ()
    body: type[BaseModel] | None = None

    @property
    def has_idempotency_key(self) -> bool:
        """Whether the route takes `Idempotency-Key`, as every POST does, so that it can be sent again when no answer came."""
        return self.method == "POST"


_PAGE = ("limit", "cursor")
_PERIOD = ("since", "until")

LIST_NOTES = Call(
    method="GET",
    path="/v1/subjects/{subject}/notes",
    answer=records.NotePage,
    query=(*_PERIOD, "status", "model", "order", *_PAGE),
)
LIST_DAYS = Call(
    method="GET",
    path="/v1/subjects/{subject}/days",
    answer=person_records.DayPage,
    query=(*_PERIOD, "model", "order", *_PAGE),
)
GET_TREND = Call(
    method="GET", path="/v1/subjects/{subject}/trend", answer=person_records.TrendList, query=("model", "chart")
)
GET_NOTE = Call(method="GET", path="/v1/notes/{note_id}", answer=records.Note, query=("model",))
LIST_SEGMENTS = Call(
    method="GET", path="/v1/notes/{note_id}/segments", answer=records.SegmentPage, query=("model", *_PAGE)
)
REPORT_SUBJECT = Call(method="GET", path="/v1/subjects/{subject}/report", answer=records.Nothing, query=("model",))
REPORT_NOTE = Call(method="GET", path="/v1/notes/{note_id}/report", answer=records.Nothing, query=("model",))
REPORT_OPERATIONS = Call(method="GET", path="/v1/report", answer=records.Nothing)
LIST_MODELS = Call(method="GET", path="/v1/models", answer=records.ModelList)
LIST_CHANGES = Call(method="GET", path="/v1/changes", answer=records.ChangePage, query=_PAGE)
ERASE_SUBJECT = Call(method="DELETE", path="/v1/subjects/{subject}", answer=records.Erasure)
LIST_ERASURES = Call(method="GET", path="/v1/erasures", answer=records.ErasurePage, query=_PAGE)
GET_ERASURE = Call(method="GET", path="/v1/erasures/{erasure_id}", answer=records.Erasure)
GET_HEALTH = Call(method="GET", path="/healthz", answer=records.Health)
GET_READINESS = Call(method="GET", path="/readyz", answer=records.Health)

CREATE_UPLOAD = Call(
    method="POST",
    path="/v1/uploads",
    answer=app_records.Upload,
    body=app_records.NewUpload,
)
GET_UPLOAD = Call(method="GET", path="/v1/uploads/{upload_id}", answer=app_records.Upload)
PUT_CONTENT = Call(
    method="PUT", path="/v1/uploads/{upload_id}/content", answer=app_records.Upload, body=records.Nothing
)
COMPLETE_UPLOAD = Call(method="POST", path="/v1/uploads/{upload_id}/complete", answer=app_records.Upload)

CREATE_EXPORT = Call(method="POST", path="/v1/exports", answer=app_records.Export, body=app_records.ExportRequest)
LIST_EXPORTS = Call(method="GET", path="/v1/exports", answer=app_records.ExportPage, query=_PAGE)
GET_EXPORT = Call(method="GET", path="/v1/exports/{export_id}", answer=app_records.Export)
GET_EXPORT_CONTENT = Call(method="GET", path="/v1/exports/{export_id}/content", answer=records.Nothing)
DELETE_EXPORT = Call(method="DELETE", path="/v1/exports/{export_id}", answer=records.Nothing)

_ENDPOINTS, _ENDPOINT = "/v1/webhook-endpoints", "/v1/webhook-endpoints/{endpoint_id}"
LIST_ENDPOINTS = Call(method="GET", path=_ENDPOINTS, answer=app_records.EndpointList)
CREATE_ENDPOINT = Call(
    method="POST", path=_ENDPOINTS, answer=app_records.NewEndpointAnswer, body=app_records.NewEndpoint
)
GET_ENDPOINT = Call(method="GET", path=_ENDPOINT, answer=app_records.Endpoint)
CHANGE_ENDPOINT = Call(method="PATCH", path=_ENDPOINT, answer=app_records.Endpoint, body=app_records.EndpointChange)
DELETE_ENDPOINT = Call(method="DELETE", path=_ENDPOINT, answer=records.Nothing)
ROTATE_SECRET = Call(method="POST", path=_ENDPOINT + "/rotate", answer=app_records.Secret, body=app_records.Rotation)
TEST_ENDPOINT = Call(method="POST", path=_ENDPOINT + "/test", answer=app_records.Delivery)
LIST_DELIVERIES = Call(
    method="GET", path=_ENDPOINT + "/deliveries", answer=app_records.DeliveryPage, query=("status", *_PAGE)
)
REPLAY_DELIVERY = Call(method="POST", path=_ENDPOINT + "/deliveries/{delivery_id}/replay", answer=app_records.Delivery)
