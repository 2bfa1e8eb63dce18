"""Recordings, models, the ledger, results and schedule slots."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables, parents before children."""
    _recordings()
    _models()
    _jobs()
    _attempts()
    _results()
    _segments()
    _schedule_slots()
    _pulses()


def _recordings() -> None:
    op.create_table(
        "recordings",
        sa.Column("id", ID, nullable=False),
        sa.Column("store", sa.String(), nullable=False),
        sa.Column("bucket", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("version_tag", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("subject_source", sa.String(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=True),
        sa.Column("recorded_at_precision", sa.String(), nullable=True),
        sa.Column("recorded_at_source", sa.String(), nullable=False),
        sa.Column("uploaded_at", MOMENT, nullable=False),
        sa.Column("registered_at", MOMENT, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.CheckConstraint("state IN ('LIVE', 'SUPERSEDED', 'ERASED')", name=op.f("ck_recordings_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recordings")),
        sa.UniqueConstraint(
            "store", "bucket", "key", "version_tag", name=op.f("uq_recordings_store_bucket_key_version_tag")
        ),
    )
    op.create_index(
        "ix_recordings_subject_recorded_at", "recordings", ["subject", "recorded_at"], unique=False
    )
    op.create_index(
        "uq_recordings_live_key",
        "recordings",
        ["store", "bucket", "key"],
        unique=True,
        sqlite_where=sa.text("state = 'LIVE'"),
        postgresql_where=sa.text("state = 'LIVE'"),
    )


def _models() -> None:
    op.create_table(
        "models",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("labels", DOCUMENT, nullable=False),
        sa.Column("manifest", DOCUMENT, nullable=False),
        sa.Column("folder", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.Column("activated_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_models_name_version")),
    )
    op.create_index(
        "uq_models_active",
        "models",
        ["is_active"],
        unique=True,
        sqlite_where=sa.text("is_active"),
        postgresql_where=sa.text("is_active"),
    )


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", ID, nullable=False),
        sa.Column("recording_id", ID, nullable=False),
        sa.Column("model_id", ID, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("transients", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lost_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_token", sa.String(), nullable=True),
        sa.Column("lease_until_s", sa.Double(), nullable=True),
        sa.Column("worker", sa.String(), nullable=True),
        sa.Column("next_run_at_s", sa.Double(), nullable=False),
        sa.Column("first_transient_at_s", sa.Double(), nullable=True),
        sa.Column("queued_at_s", sa.Double(), nullable=True),
        sa.Column("queue_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.CheckConstraint("(state = 'RUNNING') = (lease_until_s IS NOT NULL)", name=op.f("ck_jobs_lease")),
        sa.CheckConstraint(
            "(state IN ('DONE', 'DEAD', 'CANCELLED')) = (finished_at IS NOT NULL)",
            name=op.f("ck_jobs_finished"),
        ),
        sa.CheckConstraint("lane IN ('nightly', 'bulk', 'quarantine')", name=op.f("ck_jobs_lane")),
        sa.CheckConstraint(
            "state IN ('PENDING', 'QUEUED', 'RUNNING', 'DONE', 'DEAD', 'CANCELLED')",
            name=op.f("ck_jobs_state"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('DEAD', 'CANCELLED') OR reason IS NOT NULL", name=op.f("ck_jobs_reason")
        ),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_jobs_model_id_models")),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recordings.id"], name=op.f("fk_jobs_recording_id_recordings")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("recording_id", "model_id", name=op.f("uq_jobs_recording_id_model_id")),
    )
    op.create_index("ix_jobs_model_id_state", "jobs", ["model_id", "state"], unique=False)
    op.create_index(
        "ix_jobs_running_lease_until_s",
        "jobs",
        ["lease_until_s"],
        unique=False,
        sqlite_where=sa.text("state = 'RUNNING'"),
        postgresql_where=sa.text("state = 'RUNNING'"),
    )
    op.create_index(
        "ix_jobs_state_lane_next_run_at_s", "jobs", ["state", "lane", "next_run_at_s"], unique=False
    )


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", ID, nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("wall_ms", sa.BigInteger(), nullable=True),
        sa.Column("peak_rss_kib", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_attempts_job_id_jobs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        sa.UniqueConstraint("job_id", "n", name=op.f("uq_attempts_job_id_n")),
        sa.UniqueConstraint("token", name=op.f("uq_attempts_token")),
    )


def _results() -> None:
    op.create_table(
        "results",
        sa.Column("recording_id", ID, autoincrement=False, nullable=False),
        sa.Column("model_id", ID, autoincrement=False, nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("anger", sa.Double(), nullable=True),
        sa.Column("happiness", sa.Double(), nullable=True),
        sa.Column("neutral", sa.Double(), nullable=True),
        sa.Column("sadness", sa.Double(), nullable=True),
        sa.Column("label", sa.String(), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("is_uncertain", sa.Boolean(), nullable=True),
        sa.Column("n_windows", sa.Integer(), nullable=False),
        sa.Column("speech_ms", sa.BigInteger(), nullable=False),
        sa.Column("rejected_ms", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("anger_slope_per_min", sa.Double(), nullable=True),
        sa.Column("happiness_slope_per_min", sa.Double(), nullable=True),
        sa.Column("neutral_slope_per_min", sa.Double(), nullable=True),
        sa.Column("sadness_slope_per_min", sa.Double(), nullable=True),
        sa.Column("trend", DOCUMENT, nullable=False),
        sa.Column("extra_scores", DOCUMENT, nullable=True),
        sa.Column("audio_sha256", sa.String(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "(status = 'SCORED') = (anger IS NOT NULL) AND (status = 'SCORED') = (happiness IS NOT NULL) AND (status = 'SCORED') = (neutral IS NOT NULL) AND (status = 'SCORED') = (sadness IS NOT NULL) AND (status = 'SCORED') = (label IS NOT NULL) AND (status = 'SCORED') = (confidence IS NOT NULL) AND (status = 'SCORED') = (is_uncertain IS NOT NULL)",
            name=op.f("ck_results_scored"),
        ),
        sa.CheckConstraint("status IN ('SCORED', 'NO_SPEECH')", name=op.f("ck_results_status")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_results_model_id_models")),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recordings.id"], name=op.f("fk_results_recording_id_recordings")
        ),
        sa.PrimaryKeyConstraint("recording_id", "model_id", name=op.f("pk_results")),
    )


def _segments() -> None:
    op.create_table(
        "segments",
        sa.Column("recording_id", ID, autoincrement=False, nullable=False),
        sa.Column("model_id", ID, autoincrement=False, nullable=False),
        sa.Column("idx", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("speech_ms", sa.BigInteger(), nullable=False),
        sa.Column("anger", sa.Double(), nullable=False),
        sa.Column("happiness", sa.Double(), nullable=False),
        sa.Column("neutral", sa.Double(), nullable=False),
        sa.Column("sadness", sa.Double(), nullable=False),
        sa.Column("extra_scores", DOCUMENT, nullable=True),
        sa.CheckConstraint("0 <= start_ms AND start_ms < end_ms", name=op.f("ck_segments_span")),
        sa.ForeignKeyConstraint(
            ["recording_id", "model_id"],
            ["results.recording_id", "results.model_id"],
            name=op.f("fk_segments_recording_id_results"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("recording_id", "model_id", "idx", name=op.f("pk_segments")),
    )


def _schedule_slots() -> None:
    op.create_table(
        "schedule_slots",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("slot", MOMENT, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("claimed_at", MOMENT, nullable=False),
        sa.Column("lease_until_s", sa.Double(), nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("n_registered", sa.BigInteger(), nullable=True),
        sa.Column("n_jobs", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", "slot", name=op.f("pk_schedule_slots")),
    )


def _pulses() -> None:
    op.create_table(
        "pulses",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("detail", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_pulses")),
    )
