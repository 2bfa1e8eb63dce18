"""The tables of the HTTP API: its keys, an audit of what they read, who asked for an erasure, and the feed of changes."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, text

from db.columns import Document, Id, UtcDateTime
from db.reasons import ChangeKind
from db.schema import metadata, one_of

# Of a key only its hash is kept.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Id, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("name", String, nullable=False),
    Column("key_sha256", String, nullable=False, unique=True),
    Column("scopes", Document, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("rotated_from", Id, ForeignKey("api_keys.id")),
)

# Which key asked for what; `route` is a template, and `subject` is emptied when the person is erased.
api_audit = Table(
    "api_audit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("key_id", Id, ForeignKey("api_keys.id"), nullable=False),
    Column("tenant", String, nullable=False),
    Column("method", String, nullable=False),
    Column("route", String, nullable=False),
    Column("subject", String),
    Column("recording_id", Id),
    Column("status", Integer, nullable=False),
    Index("ix_api_audit_at", "at"),
    Index("ix_api_audit_tenant_subject", "tenant", "subject"),
)

# Whose key may look at an erasure; as the audit in `erasures`, it does not say whom it took away.
erasure_requests = Table(
    "erasure_requests",
    metadata,
    Column("erasure_id", Id, ForeignKey("erasures.id"), primary_key=True, autoincrement=False),
    Column("tenant", String, nullable=False),
    Column("key_id", Id, ForeignKey("api_keys.id"), nullable=False),
    Index("ix_erasure_requests_tenant_erasure_id", "tenant", "erasure_id"),
)

# Written by triggers (migration 0010). No row names a person, so that an erasure has nothing to remove here.
changes = Table(
    "changes",
    metadata,
    Column("id", Id, primary_key=True),
    Column("position", BigInteger),  # in the feed; NULL until the first look after its transaction has ended
    Column("tenant", String),  # NULL: of every tenant
    Column("kind", String, nullable=False),
    Column("recording_id", Id),
    Column("model_id", Id),
    Column("reason", String),
    Column("at", UtcDateTime, nullable=False),
    one_of("kind", ChangeKind),
    Index("uq_changes_position", "position", unique=True),
    Index("ix_changes_tenant_position", "tenant", "position"),
)
Index(
    "ix_changes_new",
    changes.c.id,
    sqlite_where=text("position IS NULL"),
    postgresql_where=text("position IS NULL"),
)

# How far the feed has been numbered, and which positions were deleted for their age.
change_feed = Table(
    "change_feed",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("numbered_to", BigInteger, nullable=False),
    Column("expired_to", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one"),
)
