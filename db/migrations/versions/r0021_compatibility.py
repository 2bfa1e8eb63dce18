"""Which earlier releases go on beside the schema."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None
works_beside = "0016"


def upgrade() -> None:
    """Add the table; `db.migrate` keeps its row from here on, and the previous release does not look."""
    op.create_table(
        "schema_compatibility",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("works_beside", sa.String(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_schema_compatibility_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schema_compatibility")),
    )
