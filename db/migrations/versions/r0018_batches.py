"""Batches of reprocessing: a table, and which jobs are of which batch."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
STATES = "state IN ('RUNNING', 'PAUSED', 'CANCELLED', 'DONE')"


def upgrade() -> None:
    """Add a table, a column and two indexes; the previous release goes on beside this one and makes jobs of no batch."""
    _batches()
    op.add_column("jobs", sa.Column("batch_id", ID))
    _index("ix_jobs_batch_id_state_next_run_at_s", ["batch_id", "state", "next_run_at_s"], "batch_id IS NOT NULL")
    of_none = "state = 'PENDING' AND lane = 'bulk' AND batch_id IS NULL"
    _index("ix_jobs_of_no_batch", ["batch_id", "state", "lane", "next_run_at_s"], of_none)


def _index(name: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, "jobs", columns, sqlite_where=condition, postgresql_where=condition)


def _batches() -> None:
    zero = sa.text("0")
    op.create_table(
        "batches",
        sa.Column("id", ID, nullable=False),
        sa.Column("model_id", ID, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("since", MOMENT),
        sa.Column("until", MOMENT),
        sa.Column("tenant", sa.String()),
        sa.Column("is_of_person", sa.Boolean(), nullable=False),
        sa.Column("sample", sa.Double()),
        sa.Column("only_label", sa.String()),
        sa.Column("label_model_id", ID),
        sa.Column("max_recordings", sa.BigInteger()),
        sa.Column("with_unscorable", sa.Boolean(), nullable=False),
        sa.Column("cursor_id", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("planned_at", MOMENT),
        sa.Column("n_recordings", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("n_unscorable", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("n_bytes", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("known_ms", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("known_bytes", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("rate_per_h", sa.Integer()),
        sa.Column("allowance", sa.Double(), nullable=False, server_default=zero),
        sa.Column("allowance_at_s", sa.Double()),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.Column("n_done", sa.BigInteger()),
        sa.Column("n_failed", sa.BigInteger()),
        sa.Column("n_cancelled", sa.BigInteger()),
        sa.Column("done_ms", sa.BigInteger()),
        sa.CheckConstraint(STATES, name=op.f("ck_batches_state")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_batches_model_id_models")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
    )
