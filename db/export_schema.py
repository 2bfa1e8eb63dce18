"""The table of exports that keys of the HTTP API asked for."""

from sqlalchemy import BigInteger, Column, Date, ForeignKey, Index, String, Table

from db.columns import Id, UtcDateTime
from db.reasons import ExportState
from db.schema import metadata, one_of

# An erasure deletes all rows of a tenant that it takes notes from; a file without a row is removed.
exports = Table(
    "exports",
    metadata,
    Column("id", Id, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("key_id", Id, ForeignKey("api_keys.id"), nullable=False),
    Column("format", String, nullable=False),
    Column("subject", String),  # NULL: everybody of the tenant
    Column("since", Date),
    Column("until", Date),
    Column("model", String),  # as it was asked for; NULL: the active one
    Column("state", String, nullable=False),
    Column("reason", String),  # why it failed
    Column("file_token", String),  # of the attempt that writes it or has; part of the file's name
    Column("n_rows", BigInteger),
    Column("size_bytes", BigInteger),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("expires_at", UtcDateTime, nullable=False),
    one_of("state", ExportState),
    Index("ix_exports_tenant_id", "tenant", "id"),
)
