"""Objects that a notification named and that nobody has looked up yet."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None
works_beside = "0016"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table; the previous release knows nothing of it."""
    op.create_table(
        "object_hints",
        sa.Column("id", ID, nullable=False),
        sa.Column("bucket", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("n_looks", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_object_hints"),
    )
    op.create_index("ix_object_hints_due_at", "object_hints", ["due_at"])
