"""Under which key subjects are stored: one row once they are, none while they are plain text."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; the previous release neither reads nor writes it, and must not register beside a key."""
    op.create_table(
        "subject_keys",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("used_since", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_subject_keys_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject_keys")),
    )
