"""Exports that keys of the HTTP API asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the table; the previous release knows nothing of it."""
    op.create_table(
        "exports",
        sa.Column("id", ID, primary_key=True),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("key_id", ID, sa.ForeignKey("api_keys.id", name="fk_exports_key_id_api_keys"), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("subject", sa.String()),
        sa.Column("since", sa.Date()),
        sa.Column("until", sa.Date()),
        sa.Column("model", sa.String()),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String()),
        sa.Column("file_token", sa.String()),
        sa.Column("n_rows", sa.BigInteger()),
        sa.Column("size_bytes", sa.BigInteger()),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'running', 'ready', 'failed')", name="state"),
        sa.PrimaryKeyConstraint("id", name="pk_exports"),
    )
    op.create_index("ix_exports_tenant_id", "exports", ["tenant", "id"])
