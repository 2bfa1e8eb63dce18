"""How far scores have drifted, night by night."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON(none_as_null=True).with_variant(sa.dialects.postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Add the table; the previous release knows nothing of it."""
    op.create_table(
        "drift_nights",
        sa.Column("night", sa.Date(), nullable=False),
        sa.Column("model_id", ID, nullable=False, autoincrement=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        *(
            sa.Column(name, sa.Date(), nullable=False)
            for name in ("recent_since", "recent_until", "reference_since", "reference_until")
        ),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("n_recent", "n_reference", "n_persons")),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("measures", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name="fk_drift_nights_model_id_models", ondelete="CASCADE"
        ),
        sa.CheckConstraint("state IN ('too_few', 'stable', 'moved')", name="state"),
        sa.PrimaryKeyConstraint("night", "model_id", name="pk_drift_nights"),
    )
