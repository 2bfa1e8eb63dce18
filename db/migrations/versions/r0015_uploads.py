"""Uploads over the HTTP API with a lane of their own, and which requests were answered already."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON(none_as_null=True).with_variant(sa.dialects.postgresql.JSONB(none_as_null=True), "postgresql")
MOMENT = sa.DateTime(timezone=True)

OLD_LANES = "lane IN ('nightly', 'bulk', 'quarantine')"
NEW_LANES = "lane IN ('interactive', 'nightly', 'bulk', 'quarantine')"
STATES = "state IN ('OPEN', 'RECEIVED', 'REGISTERED', 'FAILED', 'EXPIRED', 'ERASED')"


def upgrade() -> None:
    """Add two tables and a lane; the previous release goes on beside this one until somebody uploads the first recording."""
    _lanes()
    _uploads()
    _idempotent_requests()


def _lanes() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        # Not valid at first, so that the table is not locked while all of it is read; every row fits, as the old one held.
        op.execute("ALTER TABLE jobs DROP CONSTRAINT ck_jobs_lane")
        op.execute(f"ALTER TABLE jobs ADD CONSTRAINT ck_jobs_lane CHECK ({NEW_LANES}) NOT VALID")
        op.execute("ALTER TABLE jobs VALIDATE CONSTRAINT ck_jobs_lane")
        return
    # The way that SQLite describes for a check (lang_altertable.html, section 7): a new table in its place would lose
    # the triggers and copy every job.
    version = connection.execute(sa.text("PRAGMA schema_version")).scalar_one()
    connection.execute(sa.text("PRAGMA writable_schema = ON"))
    changed = "UPDATE sqlite_master SET sql = replace(sql, :old, :new) WHERE type = 'table' AND name = 'jobs'"
    connection.execute(sa.text(changed), {"old": OLD_LANES, "new": NEW_LANES})
    connection.execute(sa.text(f"PRAGMA schema_version = {version + 1}"))
    connection.execute(sa.text("PRAGMA writable_schema = OFF"))


def _uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("key_id", ID, nullable=False),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("store", sa.String(), nullable=False),
        sa.Column("bucket", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("binding", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("received_at", MOMENT, nullable=True),
        sa.Column("recording_id", ID, nullable=True),
        sa.CheckConstraint(STATES, name=op.f("ck_uploads_state")),
        sa.CheckConstraint("state IN ('OPEN', 'RECEIVED') OR subject IS NULL", name=op.f("ck_uploads_subject")),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_uploads_key_id_api_keys")),
        sa.ForeignKeyConstraint(["recording_id"], ["recordings.id"], name=op.f("fk_uploads_recording_id_recordings")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    op.create_index("ix_uploads_tenant_subject", "uploads", ["tenant", "subject"])
    op.create_index("ix_uploads_store_bucket_key", "uploads", ["store", "bucket", "key"])
    op.create_index("ix_uploads_key_id_state_expires_at", "uploads", ["key_id", "state", "expires_at"])
    op.create_index("ix_uploads_state_expires_at", "uploads", ["state", "expires_at"])


def _idempotent_requests() -> None:
    op.create_table(
        "idempotent_requests",
        sa.Column("key_id", ID, nullable=False),
        sa.Column("key_sha256", sa.String(), nullable=False),
        sa.Column("request_sha256", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", DOCUMENT, nullable=True),
        sa.Column("resource", sa.String(), nullable=True),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_idempotent_requests_key_id_api_keys")),
        sa.PrimaryKeyConstraint("key_id", "key_sha256", name=op.f("pk_idempotent_requests")),
    )
    op.create_index("ix_idempotent_requests_created_at", "idempotent_requests", ["created_at"])
    op.create_index("ix_idempotent_requests_tenant_subject", "idempotent_requests", ["tenant", "subject"])
