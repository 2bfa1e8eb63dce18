"""States of model versions: every switch of the active one, what was retired or removed, and the canary's readers."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add three tables; the previous release knows nothing of them, and its models are candidates or active as before."""
    op.create_table(
        "model_activations",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("model_id", ID, nullable=False),
        sa.Column("previous_id", ID, nullable=True),
        sa.Column("n_results", sa.BigInteger(), nullable=False),
        sa.Column("n_covered", sa.BigInteger(), nullable=False),
        sa.Column("is_forced", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "0 <= n_covered AND n_covered <= n_results", name=op.f("ck_model_activations_counts")
        ),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_model_activations_model_id_models")),
        sa.ForeignKeyConstraint(["previous_id"], ["models.id"], name=op.f("fk_model_activations_previous_id_models")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_activations")),
    )
    op.create_index("ix_model_activations_at", "model_activations", ["at"])
    op.create_table(
        "model_ends",
        sa.Column("model_id", ID, autoincrement=False, nullable=False),
        sa.Column("retired_at", MOMENT, nullable=True),
        sa.Column("removed_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_model_ends_model_id_models")),
        sa.PrimaryKeyConstraint("model_id", name=op.f("pk_model_ends")),
    )
    op.create_table(
        "model_readers",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("model_id", ID, nullable=False),
        sa.Column("tenant", sa.String(), nullable=True),
        sa.Column("share", sa.Double(), nullable=True),
        sa.Column("read_share", sa.Double(), nullable=True),
        sa.Column("since", MOMENT, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_model_readers_one")),
        sa.CheckConstraint("(tenant IS NULL) <> (share IS NULL)", name=op.f("ck_model_readers_who")),
        sa.CheckConstraint("share IS NULL OR (share > 0 AND share <= 1)", name=op.f("ck_model_readers_share")),
        sa.CheckConstraint(
            "read_share IS NULL OR (read_share > 0 AND read_share <= 1)", name=op.f("ck_model_readers_read_share")
        ),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_model_readers_model_id_models")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_readers")),
    )
