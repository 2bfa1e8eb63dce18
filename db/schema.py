"""The tables, as SQLAlchemy Core knows them; it never creates them (the migrations do, and a test compares the two).

Columns whose names end in `_s` are seconds since 1970 on the database's clock and belong to the ledger; columns whose
names end in `_at` are UTC moments for people.
"""

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

from db.columns import Document, Id, UtcDateTime
from db.reasons import ChangeCause, ErasureScope, JobState, Lane, RecordingState, ResultStatus

EMOTIONS = ("anger", "happiness", "neutral", "sadness")
DIMENSIONS = ("arousal", "valence")  # NULL where the model says nothing of them

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _check(condition: str, *, name: str) -> CheckConstraint:
    """Make a check of PostgreSQL's; on SQLite a trigger holds the same, since its tables cannot be given new ones."""
    return CheckConstraint(condition, name=name).ddl_if(dialect="postgresql")


def _between(names: Iterable[str], least: str, most: str) -> str:
    """Say that none of these is outside, NaN included."""
    return " AND ".join(f"{name} BETWEEN {least} AND {most}" for name in names)


_SCORES = _between(EMOTIONS, "0", "1")
_DIMENSIONS = _between(DIMENSIONS, "-1e6", "1e6")
_TIMES = _between(("speech_ms", "rejected_ms", "duration_ms"), "0", "10000000000")


def one_of(column: str, words: type[StrEnum]) -> CheckConstraint:
    """Make the check that a column holds one of these words."""
    listed = ", ".join(f"'{word.value}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


recordings = Table(
    "recordings",
    metadata,
    Column("id", Id, primary_key=True),
    Column("store", String, nullable=False),
    Column("bucket", String, nullable=False),
    Column("key", String, nullable=False),
    Column("version_tag", String, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("subject", String),
    Column("subject_source", String, nullable=False),
    Column("recorded_at", UtcDateTime),
    Column("recorded_at_precision", String),
    Column("recorded_at_source", String, nullable=False),
    Column("uploaded_at", UtcDateTime, nullable=False),
    Column("registered_at", UtcDateTime, nullable=False),
    Column("state", String, nullable=False),
    Column("tenant", String, nullable=False, server_default=text("'default'")),
    Column("tenant_source", String, nullable=False, server_default=text("'default'")),
    Column("utc_offset_min", Integer),  # of the recorder's clock at `recorded_at`; NULL: nobody said
    Column("recorded_at_zone", String),  # the IANA zone that gave the offset
    Column("local_day", Date),  # the day of `recorded_at` on the recorder's calendar
    Column("identity_tag", String),  # changes with whatever person and time were read from; NULL: read them again
    UniqueConstraint("store", "bucket", "key", "version_tag"),
    one_of("state", RecordingState),
    Index("ix_recordings_tenant_subject_recorded_at", "tenant", "subject", "recorded_at"),
    Index("ix_recordings_tenant_subject_local_day", "tenant", "subject", "local_day"),
    Index("ix_recordings_tenant_id", "tenant", "id"),
)
# A key holds one version at a time.
Index(
    "uq_recordings_live_key",
    recordings.c.store,
    recordings.c.bucket,
    recordings.c.key,
    unique=True,
    sqlite_where=text("state = 'LIVE'"),
    postgresql_where=text("state = 'LIVE'"),
)

models = Table(
    "models",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String, nullable=False),
    Column("version", String, nullable=False),
    Column("sha256", String, nullable=False),
    Column("labels", Document, nullable=False),
    Column("manifest", Document, nullable=False),
    Column("folder", String, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("added_at", UtcDateTime, nullable=False),
    Column("activated_at", UtcDateTime),
    Column("bundle_sha256", String),  # of all files of the bundle; NULL: registered before this was kept
    UniqueConstraint("name", "version"),
)
Index(
    "uq_models_active",
    models.c.is_active,
    unique=True,
    sqlite_where=text("is_active"),
    postgresql_where=text("is_active"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("recording_id", Id, ForeignKey("recordings.id"), nullable=False),
    Column("model_id", Id, ForeignKey("models.id"), nullable=False),
    Column("state", String, nullable=False),
    Column("lane", String, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),  # claims, ever
    Column("failures", Integer, nullable=False, server_default=text("0")),  # attempts that failed by themselves
    Column("transients", Integer, nullable=False, server_default=text("0")),  # waits for store or database, in a row
    Column("lost_count", Integer, nullable=False, server_default=text("0")),  # leases that ran out
    Column("lease_token", String),  # kept when DONE: it names the attempt that wrote the result
    Column("lease_until_s", Double),
    Column("worker", String),
    Column("next_run_at_s", Double, nullable=False),
    Column("first_transient_at_s", Double),
    Column("queued_at_s", Double),
    Column("queue_count", Integer, nullable=False, server_default=text("0")),  # times redelivered while QUEUED
    Column("reason", String),
    Column("detail", String),
    Column("created_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("batch_id", Id),  # in `batches`; NULL: nightly work, uploads, and bulk jobs of earlier releases
    UniqueConstraint("recording_id", "model_id"),
    one_of("state", JobState),
    one_of("lane", Lane),
    CheckConstraint("(state = 'RUNNING') = (lease_until_s IS NOT NULL)", name="lease"),
    CheckConstraint("state NOT IN ('DEAD', 'CANCELLED') OR reason IS NOT NULL", name="reason"),
    CheckConstraint("(state IN ('DONE', 'DEAD', 'CANCELLED')) = (finished_at IS NOT NULL)", name="finished"),
    Index("ix_jobs_state_lane_next_run_at_s", "state", "lane", "next_run_at_s"),
    Index("ix_jobs_model_id_state", "model_id", "state"),
)
Index(
    "ix_jobs_batch_id_state_next_run_at_s",
    jobs.c.batch_id,
    jobs.c.state,
    jobs.c.next_run_at_s,
    sqlite_where=text("batch_id IS NOT NULL"),
    postgresql_where=text("batch_id IS NOT NULL"),
)
# Without it a pump would read all jobs of paused batches to find these few; SQLite takes the index with the most columns.
IS_OF_NO_BATCH = "state = 'PENDING' AND lane = 'bulk' AND batch_id IS NULL"
Index(
    "ix_jobs_of_no_batch",
    jobs.c.batch_id,
    jobs.c.state,
    jobs.c.lane,
    jobs.c.next_run_at_s,
    sqlite_where=text(IS_OF_NO_BATCH),
    postgresql_where=text(IS_OF_NO_BATCH),
)
Index(
    "ix_jobs_running_lease_until_s",
    jobs.c.lease_until_s,
    sqlite_where=text("state = 'RUNNING'"),
    postgresql_where=text("state = 'RUNNING'"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("job_id", Id, ForeignKey("jobs.id"), nullable=False),
    Column("n", Integer, nullable=False),
    Column("token", String, nullable=False, unique=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("outcome", String),
    Column("reason", String),
    Column("detail", String),
    Column("worker", String, nullable=False),
    Column("wall_ms", BigInteger),
    Column("peak_rss_kib", BigInteger),
    UniqueConstraint("job_id", "n"),
)

results = Table(
    "results",
    metadata,
    Column("recording_id", Id, ForeignKey("recordings.id"), primary_key=True, autoincrement=False),
    Column("model_id", Id, ForeignKey("models.id"), primary_key=True, autoincrement=False),
    Column("token", String, nullable=False),
    Column("status", String, nullable=False),
    *(Column(emotion, Double) for emotion in EMOTIONS),
    Column("label", String),
    Column("confidence", Double),
    Column("is_uncertain", Boolean),
    Column("n_windows", Integer, nullable=False),
    Column("speech_ms", BigInteger, nullable=False),
    Column("rejected_ms", BigInteger, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    *(Column(f"{emotion}_slope_per_min", Double) for emotion in EMOTIONS),
    Column("trend", Document, nullable=False),
    Column("extra_scores", Document),
    Column("audio_sha256", String),
    Column("created_at", UtcDateTime, nullable=False),
    *(Column(name, Double) for name in DIMENSIONS),
    Column("voice", Document),  # name to value; NULL: nobody speaks, or an earlier release scored it
    one_of("status", ResultStatus),
    CheckConstraint(
        " AND ".join(
            f"(status = 'SCORED') = ({column} IS NOT NULL)"
            for column in (*EMOTIONS, "label", "confidence", "is_uncertain")
        ),
        name="scored",
    ),
    _check(f"{_SCORES} AND confidence BETWEEN 0 AND 1", name="scores"),
    _check(_DIMENSIONS, name="dimensions"),
    _check(_between((f"{emotion}_slope_per_min" for emotion in EMOTIONS), "-1e6", "1e6"), name="slopes"),
    _check(f"n_windows >= 0 AND (status = 'SCORED') = (n_windows > 0) AND {_TIMES}", name="counts"),
    _check("LENGTH(token) <= 64 AND LENGTH(audio_sha256) = 64", name="texts"),
)

segments = Table(
    "segments",
    metadata,
    Column("recording_id", Id, primary_key=True, autoincrement=False),
    Column("model_id", Id, primary_key=True, autoincrement=False),
    Column("idx", Integer, primary_key=True, autoincrement=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("speech_ms", BigInteger, nullable=False),
    *(Column(emotion, Double, nullable=False) for emotion in EMOTIONS),
    Column("extra_scores", Document),
    *(Column(name, Double) for name in DIMENSIONS),
    ForeignKeyConstraint(
        ["recording_id", "model_id"], ["results.recording_id", "results.model_id"], ondelete="CASCADE"
    ),
    CheckConstraint("0 <= start_ms AND start_ms < end_ms", name="span"),
    _check(_SCORES, name="scores"),
    _check(_DIMENSIONS, name="dimensions"),
    _check("idx >= 0 AND speech_ms BETWEEN 0 AND 10000000000 AND end_ms <= 10000000000", name="counts"),
)

schedule_slots = Table(
    "schedule_slots",
    metadata,
    Column("name", String, primary_key=True),
    Column("slot", UtcDateTime, primary_key=True),
    Column("state", String, nullable=False),
    Column("claimed_at", UtcDateTime, nullable=False),
    Column("lease_until_s", Double, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("n_registered", BigInteger),
    Column("n_jobs", BigInteger),
)

pulses = Table(
    "pulses",
    metadata,
    Column("name", String, primary_key=True),
    Column("at_s", Double, nullable=False),
    Column("detail", String),
)

# The audit of erasures: it never says whose.
erasures = Table(
    "erasures",
    metadata,
    Column("id", Id, primary_key=True),
    Column("scope", String, nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("n_recordings", BigInteger, nullable=False),
    Column("n_results", BigInteger, nullable=False),
    Column("n_objects", BigInteger, nullable=False, server_default=text("0")),  # gone from storage so far
    one_of("scope", ErasureScope),
)

# What is still to be removed from storage; a row goes as soon as its object is gone.
erasure_objects = Table(
    "erasure_objects",
    metadata,
    Column("id", Id, primary_key=True),
    Column("erasure_id", Id, ForeignKey("erasures.id"), nullable=False),
    Column("store", String, nullable=False),
    Column("bucket", String, nullable=False),
    Column("key", String, nullable=False),
    Index("ix_erasure_objects_erasure_id", "erasure_id"),
    Index("ix_erasure_objects_store_bucket_key", "store", "bucket", "key"),
)

# Recordings that kept their results when their audio was removed.
removed_audio = Table(
    "removed_audio",
    metadata,
    Column("recording_id", Id, ForeignKey("recordings.id"), primary_key=True, autoincrement=False),
    Column("erasure_id", Id, ForeignKey("erasures.id"), nullable=False),
)

# What was corrected of a recording's person, tenant and time; values as `recordings` holds them, as text.
identity_changes = Table(
    "identity_changes",
    metadata,
    Column("id", Id, primary_key=True),
    Column("recording_id", Id, ForeignKey("recordings.id"), nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("cause", String, nullable=False),
    Column("field", String, nullable=False),
    Column("old_value", String),
    Column("new_value", String),
    one_of("cause", ChangeCause),
    Index("ix_identity_changes_recording_id", "recording_id"),
)

# Former names of people who were renamed or merged: what storage says goes on meaning the same person.
subject_aliases = Table(
    "subject_aliases",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("alias", String, primary_key=True),
    Column("subject", String, nullable=False),
    Index("ix_subject_aliases_tenant_subject", "tenant", "subject"),
)

# Under which key subjects are stored; no row while they are plain text.
subject_keys = Table(
    "subject_keys",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("fingerprint", String, nullable=False),
    Column("used_since", UtcDateTime, nullable=False),
    CheckConstraint("id = 1", name="one"),
)
