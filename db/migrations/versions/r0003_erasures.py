"""Erasures: their audit, what is still to be removed from storage, and recordings whose audio was removed."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables, parents before children."""
    _erasures()
    _erasure_objects()
    _removed_audio()


def _erasures() -> None:
    op.create_table(
        "erasures",
        sa.Column("id", ID, nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("n_recordings", sa.BigInteger(), nullable=False),
        sa.Column("n_results", sa.BigInteger(), nullable=False),
        sa.Column("n_objects", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("scope IN ('ALL', 'AUDIO')", name=op.f("ck_erasures_scope")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )


def _erasure_objects() -> None:
    op.create_table(
        "erasure_objects",
        sa.Column("id", ID, nullable=False),
        sa.Column("erasure_id", ID, nullable=False),
        sa.Column("store", sa.String(), nullable=False),
        sa.Column("bucket", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["erasure_id"], ["erasures.id"], name=op.f("fk_erasure_objects_erasure_id_erasures")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure_objects")),
    )
    op.create_index("ix_erasure_objects_erasure_id", "erasure_objects", ["erasure_id"], unique=False)
    op.create_index(
        "ix_erasure_objects_store_bucket_key", "erasure_objects", ["store", "bucket", "key"], unique=False
    )


def _removed_audio() -> None:
    op.create_table(
        "removed_audio",
        sa.Column("recording_id", ID, autoincrement=False, nullable=False),
        sa.Column("erasure_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["erasure_id"], ["erasures.id"], name=op.f("fk_removed_audio_erasure_id_erasures")
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recordings.id"], name=op.f("fk_removed_audio_recording_id_recordings")
        ),
        sa.PrimaryKeyConstraint("recording_id", name=op.f("pk_removed_audio")),
    )
