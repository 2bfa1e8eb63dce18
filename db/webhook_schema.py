"""The tables of webhooks: who wants to be told, their signing secrets, what happened, and what is sent to whom.

No row names a person: an event points to a recording, and the sender reads who speaks in it when it sends. So an
erasure has nothing to remove here, and a name that was corrected is sent as it is now.
"""

from sqlalchemy import Column, Date, Double, ForeignKey, Index, Integer, String, Table, text

from db.columns import Document, Id, UtcDateTime
from db.reasons import DeliveryState, DisabledReason, EventKind
from db.schema import metadata, one_of

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", Id, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("url", String, nullable=False),
    Column("description", String, nullable=False),
    Column("events", Document, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
    Column("disabled_reason", String),
    Column("failing_since", UtcDateTime),  # NULL from each success on
    one_of("disabled_reason", DisabledReason),
    Index("ix_webhook_endpoints_tenant_id", "tenant", "id"),
)

# A signature needs the secret itself, so that a hash will not do. On PostgreSQL only the sender's role reads this column.
webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("id", Id, primary_key=True),
    Column("endpoint_id", Id, ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), nullable=False),
    Column("secret", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),  # NULL: the present one
    Index("ix_webhook_secrets_endpoint_id", "endpoint_id"),
)

# What happened, in the transaction of the change; a row goes when the sender has made deliveries of it.
webhook_events = Table(
    "webhook_events",
    metadata,
    Column("id", Id, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("recording_id", Id),  # of a person's event: any recording in which the person speaks
    Column("day", Date),
    Column("data", Document),
    Column("at", UtcDateTime, nullable=False),
    one_of("kind", EventKind),
)

# One message to one endpoint. Whoever sends it moves `next_at_s` on by the length of its lease and leaves a token.
webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("endpoint_id", Id, ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), nullable=False),
    Column("tenant", String, nullable=False),  # the endpoint's, by which row-level security goes
    Column("message_id", String, nullable=False),  # the same for every endpoint and every attempt
    Column("kind", String, nullable=False),
    Column("recording_id", Id),
    Column("day", Date),
    Column("data", Document),
    Column("at", UtcDateTime, nullable=False),  # of the event
    Column("created_at", UtcDateTime, nullable=False),
    Column("state", String, nullable=False),
    Column("n_attempts", Integer, nullable=False),
    Column("next_at_s", Double, nullable=False),
    Column("lease_token", String),
    Column("attempted_at", UtcDateTime),
    Column("response_status", Integer),  # NULL where nothing answered; `error` says why
    Column("error", String),
    Column("finished_at", UtcDateTime),
    Column("replay_of", Id),
    one_of("kind", EventKind),
    one_of("state", DeliveryState),
    Index("ix_webhook_deliveries_endpoint_id_id", "endpoint_id", "id"),
    Index("ix_webhook_deliveries_created_at", "created_at"),
)
Index(
    "ix_webhook_deliveries_due",
    webhook_deliveries.c.endpoint_id,
    webhook_deliveries.c.next_at_s,
    sqlite_where=text("state = 'PENDING'"),
    postgresql_where=text("state = 'PENDING'"),
)
