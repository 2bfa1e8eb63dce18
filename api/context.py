"""What the handlers of one server share."""

from dataclasses import dataclass

from fastapi import Request

from api.audit import AuditWriter
from api.erasing import Eraser
from api.exporting import Exporter
from api.limits import RateLimiter
from api.uploading import Uploads
from api.webhooks.addresses import Network
from db import Engine
from storage.pseudonyms import SubjectNaming
from trends.person_trend import Evidence


@dataclass(frozen=True, kw_only=True)
class Context:
    """A server's database, and what works for its handlers.

    Attributes:
        engine: the database, with connections that are kept open.
        naming: how subjects are written there.
        limiter: counts requests.
        audit: writes down what was answered.
        eraser: finishes erasures.
        exporter: writes exports.
        needed: how much there has to be of a person before a trend has a number.
        uploads: where uploads go.
        trend_baseline_days: that trends are judged against.
        webhook_networks: where webhooks may go besides public addresses.
    """

    engine: Engine
    naming: SubjectNaming
    limiter: RateLimiter
    audit: AuditWriter
    eraser: Eraser
    exporter: Exporter
    needed: Evidence
    uploads: Uploads
    trend_baseline_days: int = 60
    webhook_networks: tuple[Network, ...] = ()


async def context_of(request: Request) -> Context:
    """Give the server's context to a handler; it waits for nothing, and what is not async would go through a thread."""
    context: Context = request.app.state.context
    return context
