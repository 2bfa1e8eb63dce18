"""The tables behind POST requests of the HTTP API: uploads, and which requests were answered already."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table

from db.columns import Document, Id, UtcDateTime
from db.reasons import UploadState
from db.schema import metadata, one_of

# `subject` is kept only until the recording is registered, and then stands in its row.
uploads = Table(
    "uploads",
    metadata,
    Column("id", String, primary_key=True),  # random; the key in storage is made of it
    Column("tenant", String, nullable=False),
    Column("key_id", Id, ForeignKey("api_keys.id"), nullable=False),
    Column("subject", String),
    Column("store", String, nullable=False),
    Column("bucket", String, nullable=False),
    Column("key", String, nullable=False),
    Column("size_bytes", BigInteger),  # announced; NULL: it was not
    Column("sha256", String),  # announced; NULL: it was not
    Column("binding", String, nullable=False),  # tells whether who and when are those that were announced
    Column("state", String, nullable=False),
    Column("reason", String),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),  # until then its URL takes bytes
    Column("received_at", UtcDateTime),
    Column("recording_id", Id, ForeignKey("recordings.id")),
    one_of("state", UploadState),
    CheckConstraint("state IN ('OPEN', 'RECEIVED') OR subject IS NULL", name="subject"),
    Index("ix_uploads_tenant_subject", "tenant", "subject"),
    Index("ix_uploads_store_bucket_key", "store", "bucket", "key"),
    Index("ix_uploads_key_id_state_expires_at", "key_id", "state", "expires_at"),
    Index("ix_uploads_state_expires_at", "state", "expires_at"),
)

# Requests with an `Idempotency-Key`, of which only the hash is kept. `status` is NULL while one is being answered.
idempotent_requests = Table(
    "idempotent_requests",
    metadata,
    Column("key_id", Id, ForeignKey("api_keys.id"), primary_key=True, autoincrement=False),
    Column("key_sha256", String, primary_key=True),
    Column("request_sha256", String, nullable=False),
    Column("token", String, nullable=False),  # of the attempt that answers it
    Column("status", Integer),
    Column("answer", Document),  # body and headers; NULL where `resource` says from what it is made again
    Column("resource", String),
    Column("tenant", String, nullable=False),
    Column("subject", String),  # whose erasure takes the row away
    Column("created_at", UtcDateTime, nullable=False),
    Index("ix_idempotent_requests_created_at", "created_at"),
    Index("ix_idempotent_requests_tenant_subject", "tenant", "subject"),
)
